"""What the operator reads: the status table, the tour's promises, iperf3's words."""

import pytest
from rich.console import Console

from openbond.lab.api import BonderView, BondView, LegView
from openbond.lab.cli import check_shape
from openbond.lab.errors import LabError
from openbond.lab.layout import LINES
from openbond.lab.line import Counters, Shape
from openbond.lab.relay import RelayStatus, Shapes
from openbond.lab.speed import INTERVAL, Speed, best_of
from openbond.lab.speed_report import speed_table
from openbond.lab.status import LineNow, Row, status_table


def leg(number: int, state: str = "up") -> LegView:
    return LegView(
        id=number, url="", type="static", interface=f"eth{number}", link_mode="active",
        state=state, bonder_state=state, aggregator_state="up", ip="192.0.2.2", down_speed=20,
        up_speed=20, mtu=1500, tunnel_port=2000 + number,
    )  # fmt: skip


def bond(*legs: LegView) -> BondView:
    bonder = BonderView(id=3, url="", name="site-1", key="", status="up")
    return BondView(
        id=1, url="", name="site-1", status="up", bonder=bonder, current_aggregator="",
        tunnel_bonder_ip="", tunnel_aggregator_ip="", leg_list=list(legs), connectedips=[],
        download_rate=0, upload_rate=0,
    )  # fmt: skip


def now(shapes: Shapes, *, at: float = 0.0, down_bytes: int = 0) -> LineNow:
    relay = RelayStatus(shapes=shapes, up=Counters(), down=Counters(passed_bytes=down_bytes))
    return LineNow((20.0, None), relay, at)


def printed(table: object) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_a_row_shows_leg_and_line() -> None:
    shapes = Shapes(down=Shape(delay_ms=15, jitter_ms=2), up=Shape(delay_ms=15, loss_percent=3))
    before, after = now(shapes), now(shapes, at=2.0, down_bytes=1_000_000)

    words = printed(status_table(bond(leg(1)), [Row(LINES[0], leg(1), after, before)]))

    assert "bond 1 site-1: up" in words
    assert "1 dsl eth1" in words
    assert "4.0" in words
    assert "20 Mbit/s, 15 ±2 ms; up any rate, 15 ms, loss 3 %" in words


@pytest.mark.parametrize(
    ("up", "down", "words"),
    [
        pytest.param(True, True, "CUT ", id="both"),
        pytest.param(True, False, "CUT up", id="up"),
        pytest.param(False, True, "CUT down", id="down"),
    ],
)
def test_a_cut_line_says_so(up: bool, down: bool, words: str) -> None:
    shapes = Shapes(up=Shape(is_cut=up), down=Shape(is_cut=down))

    shown = printed(status_table(bond(), [Row(LINES[0], leg(1, "down"), now(shapes), None)]))

    assert words in shown
    assert "down (down/up)" in shown


def test_without_server_the_lines_are_still_shown() -> None:
    shown = printed(status_table(None, [Row(LINES[1], None, now(Shapes()), None)], "it is dead"))

    assert "no server: it is dead" in shown
    assert "2 cable eth2" in shown


def test_the_speed_table_compares_with_the_best_leg_of_each_direction() -> None:
    legs = {1: Speed(19, 18), 2: Speed(48, 47), 3: Speed(95, 20)}

    shown = printed(speed_table(Speed(150, 94), legs))

    assert best_of(legs) == Speed(95, 47)
    assert "1.58" in shown
    assert "2.00" in shown
    assert "0.88" in shown


def test_the_words_of_iperf3_are_understood() -> None:
    interval = "[  5]   1.00-2.00   sec  11.2 MBytes  94.3 Mbits/sec    0    230 KBytes       "
    final = "[  5]   0.00-10.03  sec   112 MBytes  93.9 Mbits/sec                  receiver"

    assert [found[0] for found in INTERVAL.findall(interval + "\n" + final)] == ["94.3", "93.9"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"loss_percent": 101.0}, "--loss is from 0 to 100, not 101"),
        ({"delay_ms": -1.0}, "--delay is from 0 to 10000, not -1"),
        ({"mtu": 100.0}, "--mtu is 576 or more"),
        ({"rate": -5.0}, "--rate is from 0 to 100000, not -5"),
    ],
)
def test_what_no_line_can_be_is_refused(wanted: dict[str, float], words: str) -> None:
    with pytest.raises(LabError, match=words):
        check_shape(**wanted)


@pytest.mark.parametrize("words", ["3", "leg3", "line3", "eth3", "fibre"])
def test_a_line_answers_to_all_its_names(words: str) -> None:
    assert [line.number for line in LINES if line.answers_to(words)] == [3]
