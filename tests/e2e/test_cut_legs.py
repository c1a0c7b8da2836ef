"""Lines are cut: traffic goes on, the right leg reads `down`, and comes back by itself."""

from itertools import combinations
from pathlib import Path

import pytest

from openbond.lab.layout import LINES, AccessLine
from openbond.lab.line import Shape
from openbond.lab.relay import Shapes
from openbond.lab.waiting import wait_until

from .site import Site
from .tcp_session import TcpSession

pytestmark = [pytest.mark.e2e, pytest.mark.speeds, pytest.mark.xdist_group("lab")]

EACH = [(line,) for line in LINES]
PAIRS = list(combinations(LINES, 2))


def words(cut: tuple[AccessLine, ...]) -> str:
    return " and ".join(line.word for line in cut)


@pytest.mark.parametrize("cut", [*EACH, *PAIRS], ids=words)
def test_traffic_goes_on_while_lines_are_cut(
    site: Site, cut: tuple[AccessLine, ...], tmp_path: Path
) -> None:
    with site.stream(tmp_path) as streams:
        site.cut(*cut)
        down_after = site.wait_for_states({line.number: "down" for line in cut}, patience=4)
        rest = [line.number for line in LINES if line not in cut]
        others = {number: state for number, state in site.states().items() if number in rest}

        site.mend(*cut)
        site.wait_until_whole(patience=20)

    assert down_after <= 2.0
    assert set(others.values()) == {"up"}
    assert streams.longest_gap() <= 0.7, (streams.up, streams.down)
    assert streams.up.received > 0
    assert streams.down.received > 0


def test_a_line_dead_in_one_direction_is_known_to_both_ends(site: Site, tmp_path: Path) -> None:
    line = LINES[2]
    whole = Shape(delay_ms=line.delay_ms)
    with site.stream(tmp_path) as streams:
        dead = Shape(delay_ms=line.delay_ms, is_cut=True)
        site.lab.topology.relay(line).set_shapes(Shapes(up=dead, down=whole))
        known_after = wait_until(
            lambda: site.ends(line) == ("down", "down"), what="both ends say down", patience=6
        )

    # 2.5 s at an RTT up to 200 ms (behaviour 2.13), and the reports' way to the server.
    assert known_after <= 4.5
    assert streams.longest_gap() <= 3.0, (streams.up, streams.down)


def test_a_tcp_session_lives_through_every_cut(site: Site, tmp_path: Path) -> None:
    with TcpSession(site, tmp_path) as session:
        for line in LINES:
            site.cut(line)
            site.wait_for_states({line.number: "down"}, patience=4)
            site.mend(line)
        site.wait_until_whole(patience=20)

    assert session.connections() == 1
    assert session.longest_silence() <= 1.5
