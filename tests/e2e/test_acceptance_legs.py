"""Items 3, 6 and 16 of the acceptance list: which leg carries what, and the state history."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from openbond.lab.layout import INTERNET, LINES, AccessLine
from openbond.lab.speed import SpeedTest, Stretch, measure
from openbond.lab.waiting import wait_until

from .site import Site, all_applied

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

DSL, CABLE, FIBRE = LINES
# 150 echoes of 1.2 KB one way; probes and polls of some seconds are a few KB.
LOAD, LITTLE = 150 * 1250, 40_000
CONFIG_WITHIN = 40.0


class Interval(msgspec.Struct, frozen=True):
    state: str
    start: datetime
    end: datetime | None
    duration: float


def change_leg(site: Site, line: AccessLine, **fields: object) -> None:
    """Change a leg and wait until both ends have it."""
    since = site.last_update()
    site.api.patch(site.leg(line).url, fields, msgspec.Raw)
    wait_until(
        lambda: all_applied(site.config_updates(since)),
        what="both ends have the change",
        patience=CONFIG_WITHIN,
    )


@pytest.fixture
def changed(site: Site) -> Iterator[Callable[..., None]]:
    """Change a leg for the length of a test."""
    before: list[tuple[AccessLine, dict[str, object]]] = []

    def change(line: AccessLine, **fields: object) -> None:
        url = site.leg(line).url
        shown = site.api.get(url, dict[str, object])
        before.append((line, {name: shown[name] for name in fields}))
        change_leg(site, line, **fields)

    yield change
    site.mend(*LINES)
    for line, fields in reversed(before):
        change_leg(site, line, **fields)
    site.wait_until_whole()


def ping_load(site: Site) -> None:
    site.customer.run(["ping", "-q", "-c", "150", "-i", "0.01", "-s", "1200", INTERNET])


def carried(site: Site, line: AccessLine, load: Callable[[Site], None]) -> tuple[int, int]:
    """Return how many bytes a line carried up and down during a load."""
    relay = site.lab.topology.relay(line)
    before = relay.status()
    load(site)
    after = relay.status()
    up = after.up.passed_bytes - before.up.passed_bytes
    return up, after.down.passed_bytes - before.down.passed_bytes


# ------------------------------------------------------------------------------------ item 3


def test_a_leg_with_speed_0_up_carries_data_down_only(
    site: Site, changed: Callable[..., None]
) -> None:
    changed(FIBRE, up_speed=0)

    up, down = carried(site, FIBRE, ping_load)

    assert up < LITTLE
    assert down > LOAD
    assert site.states()[FIBRE.number] == "up"


# ------------------------------------------------------------------------------------ item 6


def overload(site: Site) -> None:
    """Offer the bond more than its two normal legs carry."""
    with SpeedTest(site.lab):
        measure(Stretch("bond", site.customer, "", is_down=False, seconds=2))


def test_a_failover_leg_stands_by_takes_over_and_gives_back(
    site: Site, changed: Callable[..., None]
) -> None:
    changed(FIBRE, failover=True)
    site.wait_for_states({FIBRE.number: "failover"}, patience=20)

    up_before, _ = carried(site, FIBRE, overload)
    site.cut(DSL, CABLE)
    site.wait_for_states({DSL.number: "down", CABLE.number: "down"}, patience=10)
    while_cut, _ = carried(site, FIBRE, ping_load)
    site.mend(DSL, CABLE)
    site.wait_for_states({DSL.number: "up", CABLE.number: "up"}, patience=30)
    up_after, _ = carried(site, FIBRE, overload)

    assert up_before < LITTLE
    assert while_cut > LOAD
    assert up_after < LITTLE
    assert site.states()[FIBRE.number] == "failover"


# ----------------------------------------------------------------------------------- item 16

HELD_FOR = 2.0
CLOCKS_AGREE_WITHIN = 3.0


def test_the_state_history_is_what_happened_merged_and_gapless(site: Site) -> None:
    leg = site.leg(CABLE)
    begun = datetime.now(UTC) - timedelta(seconds=1)  # the history has whole seconds

    scripted = [
        *played(site, lambda: site.cut(CABLE), "down"),
        *played(site, lambda: site.mend(CABLE), "up"),
        *played(site, lambda: site.set_mode(leg.id, "idle"), "idle"),
        *played(site, lambda: site.set_mode(leg.id, "active"), "up"),
    ]

    history = site.api.get(f"{leg.url}state_history/", list[Interval])
    recent = [each for each in history if each.end is None or each.end > begun]
    # What passes between two scripted states while a leg comes back is not scripted.
    lasting = [each for each in recent if each.state not in ("handshaking", "testing")]
    assert [each.state for each in lasting] == ["up", *(state for state, _ in scripted)]
    for each, (_, seen) in zip(lasting[1:], scripted, strict=True):
        assert abs((each.start - seen).total_seconds()) <= CLOCKS_AGREE_WITHIN
    assert all(one.end == other.start for one, other in pairwise(history))
    assert all(one.state != other.state for one, other in pairwise(history))
    assert history[-1].end is None


def played(site: Site, deed: Callable[[], None], state: str) -> list[tuple[str, datetime]]:
    """Do something to the cable, and return the state that followed and when it was first seen."""
    deed()
    site.wait_for_states({CABLE.number: state}, patience=30)
    seen = datetime.now(UTC)
    wait_until(
        lambda: (datetime.now(UTC) - seen).total_seconds() > HELD_FOR,
        what="the state lasts",
        patience=HELD_FOR + 1,
    )
    return [(state, seen)]
