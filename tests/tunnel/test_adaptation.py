"""The speed in force of a leg: lowered under load when it is slower than configured (3.6)."""

from dataclasses import dataclass

import pytest

from openbond.tunnel.adaptation import Adapter, HeardShare, Second
from openbond.tunnel.hearing import Hearing

CONFIGURED = 20e6


@dataclass
class Access:
    """A line with a queue: what is sent faster than it carries waits, up to `room` seconds."""

    bps: float
    room: float = 0.5
    queued: float = 0.0  # seconds

    def carry(self, sent_bps: float) -> tuple[float, float]:
        """Carry a second of traffic; return the delay in the queue and the share lost."""
        queued = self.queued + sent_bps / self.bps - 1
        lost = max(queued - self.room, 0.0)
        self.queued = min(max(queued, 0.0), self.room)
        return self.queued, lost * self.bps / sent_bps if sent_bps else 0.0


def live(adapter: Adapter, access: Access, *, start: int, seconds: int, offered: float) -> float:
    """Offer so much traffic for a while; return the greatest delay of the last ten seconds."""
    delays = []
    for second in range(start, start + seconds):
        sent = min(offered, adapter.speed_bps)
        delay, lost = access.carry(sent)
        adapter.on_second(Second(sent, delay, 0.001, lost), float(second))
        delays.append(delay)
    return max(delays[-10:])


def test_a_leg_shaped_to_half_is_slowed_in_15_s_and_restored_in_three_minutes() -> None:
    adapter, access = Adapter(CONFIGURED, 0.05), Access(bps=10e6)

    live(adapter, access, start=0, seconds=15, offered=CONFIGURED)
    assert adapter.speed_bps <= 10.5e6
    assert live(adapter, access, start=15, seconds=60, offered=CONFIGURED) <= 0.060
    assert adapter.is_slowed

    access.bps = 50e6
    live(adapter, access, start=75, seconds=180, offered=CONFIGURED)
    assert adapter.speed_bps == CONFIGURED
    assert not adapter.is_slowed


def test_a_leg_that_carries_its_speed_is_left_alone() -> None:
    adapter = Adapter(CONFIGURED, 0.05)

    live(adapter, Access(bps=20.5e6), start=0, seconds=600, offered=CONFIGURED)

    assert adapter.speed_bps == CONFIGURED


def test_the_speed_never_falls_below_a_fifth() -> None:
    adapter = Adapter(CONFIGURED, 0.05)

    live(adapter, Access(bps=1e6), start=0, seconds=120, offered=CONFIGURED)

    assert adapter.speed_bps == pytest.approx(CONFIGURED / 5)


def test_at_most_one_step_down_a_second_and_of_a_tenth() -> None:
    adapter = Adapter(CONFIGURED, 0.05)

    adapter.on_second(Second(CONFIGURED, 0.5, 0.001, 0.3), 1.0)

    assert adapter.speed_bps == pytest.approx(0.9 * CONFIGURED)


@pytest.mark.parametrize("load", [0.0, 0.3, 0.69])
def test_without_load_nothing_is_lowered(load: float) -> None:
    adapter = Adapter(CONFIGURED, 0.05)

    for second in range(60):
        adapter.on_second(Second(load * CONFIGURED, 0.5, 0.001, 0.3), float(second))

    assert adapter.speed_bps == CONFIGURED


def test_a_leg_that_loses_without_load_is_not_slowed_for_it() -> None:
    adapter = Adapter(CONFIGURED, 0.05)
    adapter.on_second(Second(0.1 * CONFIGURED, 0.0, 0.001, 0.08), 0.0)

    for second in range(1, 30):
        adapter.on_second(Second(CONFIGURED, 0.0, 0.001, 0.08), float(second))

    assert adapter.speed_bps == CONFIGURED


def test_loss_under_load_slows() -> None:
    adapter = Adapter(CONFIGURED, 0.05)

    for second in range(3):
        adapter.on_second(Second(adapter.speed_bps, 0.0, 0.001, 0.06), float(second))

    assert adapter.speed_bps == pytest.approx(0.9**3 * CONFIGURED)


def test_a_jittery_leg_is_given_four_jitters() -> None:
    adapter = Adapter(CONFIGURED, 0.05)

    adapter.on_second(Second(CONFIGURED, 0.035, 0.010, 0.0), 1.0)
    assert adapter.speed_bps == CONFIGURED
    adapter.on_second(Second(CONFIGURED, 0.045, 0.010, 0.0), 2.0)

    assert adapter.is_slowed


def test_another_configured_speed_is_begun_with() -> None:
    adapter = Adapter(CONFIGURED, 0.05)
    adapter.on_second(Second(CONFIGURED, 0.5, 0.001, None), 1.0)

    adapter.set_configured(30e6)

    assert (adapter.speed_bps, adapter.is_slowed) == (30e6, False)


def test_loss_is_told_by_what_the_peer_heard_between_two_reports() -> None:
    share = HeardShare()
    assert share.take_loss() is None
    share.on_report(Hearing(1, 1000, 2**32 - 40, 0.0))
    share.take_loss()

    share.on_report(Hearing(1, 1100, 50, 0.0))  # 90 of 100; the count wrapped

    assert share.take_loss() == pytest.approx(0.10)
    share.on_report(Hearing(1, 1120, 70, 0.0))
    assert share.take_loss() is None  # too few


def test_a_new_keypair_is_no_loss() -> None:
    share = HeardShare()
    share.on_report(Hearing(1, 5000, 5000, 0.0))
    share.take_loss()

    share.on_report(Hearing(2, 10, 10, 0.0))

    assert share.take_loss() is None
