"""Speed tests as the agent asks a tunnel daemon for them."""

import msgspec
import pytest

from openbond.node.daemon_messages import (
    BeginTest,
    DaemonSettings,
    EndTest,
    decode_request,
    encode_line,
)
from openbond.node.errors import NodeError
from openbond.node.tunnel_daemon.settings import bond_settings
from openbond.node.tunnel_daemon.speed_tests import begin_or_end, reading_of
from openbond.tunnel.bond import Bond
from openbond.tunnel.settings import Distribution as InTunnel
from openbond.tunnel.speed_test import LegSpeeds, TrialPlan, Tried
from openbond.wire.speed_tests import TrialSettings, TrialSpeed
from openbond.wire.states import Distribution, NodeKind
from tests.node.samples import bond, static_leg
from tests.tunnel.inner import plain_read, tcp_packet

NOW = 100.0
OURS, THEIRS = b"\xa9\xfe\x00\x02", b"\xa9\xfe\x00\x03"
ORDER = BeginTest(test_id=5, leg_id=None, limit_kbps=None, within_ms=2_000)
TRIAL = msgspec.structs.replace(
    ORDER,
    trial=TrialSettings(
        packet_distribution=Distribution.WEIGHTED_ROUND_ROBIN,
        legs=[TrialSpeed(leg_id=21, down_kbps=9_000, up_kbps=4_000)],
    ),
)


def daemon(role: NodeKind = NodeKind.BONDER) -> tuple[Bond, DaemonSettings]:
    config = bond(7, legs=[static_leg(21)], tunnel_subnet="169.254.0.2/31")
    settings = DaemonSettings(role=role, bond=config, private_key="/key", links=[])
    core = Bond(bond_settings(settings, bytes(range(32))), epoch=1, now=NOW, entropy=bytes)
    return core, settings


def between(source: bytes, target: bytes) -> bytes:
    packet = bytearray(tcp_packet(100))
    packet[12:20] = source + target
    return plain_read(bytes(packet))


@pytest.mark.parametrize(
    ("role", "source", "target"),
    [(NodeKind.BONDER, OURS, THEIRS), (NodeKind.AGGREGATOR, THEIRS, OURS)],
)
def test_the_lower_address_is_the_bonder_s(role: NodeKind, source: bytes, target: bytes) -> None:
    core, settings = daemon(role)
    begin_or_end(core, ORDER, settings, NOW)

    core.receive_packets([between(source, target)], NOW)
    assert core.report().counters["dropped_test"] == 0
    core.receive_packets([between(target, source), plain_read(tcp_packet(100))], NOW)

    assert core.report().counters["dropped_test"] == 2


def test_a_test_is_read_while_it_runs_and_ends_when_asked_or_by_itself() -> None:
    core, settings = daemon()
    assert reading_of(core, NOW) is None

    begin_or_end(core, ORDER, settings, NOW)
    found = reading_of(core, NOW + 1)
    assert found is not None
    assert (found.test_id, found.at_us) == (5, 101_000_000)
    begin_or_end(core, EndTest(), settings, NOW + 1)
    assert reading_of(core, NOW + 1) is None

    begin_or_end(core, ORDER, settings, NOW + 1)
    core.handle_timer(NOW + 3)
    assert reading_of(core, NOW + 3) is None


def test_a_leg_that_is_not_there_is_refused_in_words() -> None:
    core, settings = daemon()

    with pytest.raises(NodeError, match="The speed test cannot begin: leg 99 is not in"):
        begin_or_end(core, msgspec.structs.replace(ORDER, leg_id=99), settings, NOW)


class Noting(Bond):
    """Keeps the plan of the test that was begun last."""

    plan: TrialPlan | None = None

    def begin_test(self, plan: TrialPlan, now: float) -> None:
        self.plan = plan
        super().begin_test(plan, now)


@pytest.mark.parametrize(
    ("role", "speeds"),
    [(NodeKind.BONDER, LegSpeeds(4e6, 9e6)), (NodeKind.AGGREGATOR, LegSpeeds(9e6, 4e6))],
)
def test_each_end_sends_at_the_speed_of_its_direction_in_a_trial(
    role: NodeKind, speeds: LegSpeeds
) -> None:
    _, settings = daemon(role)
    core = Noting(bond_settings(settings, bytes(range(32))), epoch=1, now=NOW, entropy=bytes)

    begin_or_end(core, TRIAL, settings, NOW)

    assert core.plan is not None
    assert core.plan.tried == Tried(InTunnel.WEIGHTED_ROUND_ROBIN, {21: speeds})


@pytest.mark.parametrize("request_", [ORDER, TRIAL, EndTest()])
def test_requests_travel_as_lines(request_: BeginTest | EndTest) -> None:
    assert decode_request(encode_line(request_)) == request_
