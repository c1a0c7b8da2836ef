"""Two tunnel daemons for real: kernel, TUN devices, offloads, keys, lines that are cut.

[ site l1 l2 tun7 ]==== line 1, 2: relay with delay, TBF ====[ far l1 l2 tun7 ]
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from openbond.lab.bench.lines import LineShape
from openbond.lab.bench.pair import BOND_ID, DEVICE, FAR_IP, SITE_IP, Pair
from openbond.lab.netns import Namespace
from openbond.lab.programs import OPENBOND
from openbond.lab.stream import StreamReport
from openbond.lab.waiting import wait_until
from openbond.node import store
from openbond.node.daemon_messages import (
    Done,
    LegDown,
    LegReady,
    LegStateMoved,
    Refused,
    Reload,
    StatusAnswer,
    Subscribe,
    decode_line,
    encode_line,
    encode_settings,
    settings_path,
    socket_path,
)
from openbond.wire.states import ShownState

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.timeout(180),
]

LINES = (LineShape(mbps=20, delay_ms=10), LineShape(mbps=40, delay_ms=4))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    directory = tmp_path_factory.mktemp("pair")
    with Pair(directory, name=f"tdt{os.getpid()}", lines=LINES) as built:
        yield built


def leg_states(pair: Pair) -> list[ShownState]:
    return [leg.state for leg in pair.status(pair.site).legs]


def pings(pair: Pair) -> bool:
    with suppress(Exception):
        pair.site.namespace.run(["ping", "-c", "1", "-W", "1", FAR_IP])
        return True
    return False


def pid_of(pair: Pair) -> int:
    return pair.status(pair.site).pid


def mbps(pair: Pair, *more: str) -> float:
    """Return what one TCP flow gets through the bond, in Mbit/s."""
    server = ["iperf3", "-s", "-1", "-B", FAR_IP]
    pair.programs.start("iperf3", pair.far.namespace.argv(server))
    wait_until(lambda: ":5201" in pair.far.namespace.run(["ss", "-ltn"]), what="iperf3", patience=5)
    client = ["iperf3", "-c", FAR_IP, "-t", "4", "-O", "1", "-J", "-C", "cubic", *more]
    found = json.loads(pair.site.namespace.run(client, patience=30))
    return float(found["end"]["sum_received"]["bits_per_second"]) / 1e6


@pytest.mark.speeds
@pytest.mark.parametrize("way", [(), ("-R",)], ids=["upload", "download"])
def test_one_tcp_flow_gets_more_than_the_best_leg_gives(pair: Pair, way: tuple[str, ...]) -> None:
    assert mbps(pair, *way) > 40 * 1384 / 1500


def test_the_daemon_has_no_rights_left(pair: Pair) -> None:
    status = Path(f"/proc/{pid_of(pair)}/status").read_text()
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)

    assert set(facts["Uid"].split()) != {"0"}
    assert {int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapInh")} == {0}
    assert facts["NoNewPrivs"].strip() == "1"


def test_offloads_are_in_use(pair: Pair) -> None:
    assert {"tun_tso4", "udp_segment", "udp_gro"} <= set(pair.status(pair.site).offloads)


@pytest.mark.speeds
def test_a_cut_line_silences_a_steady_stream_for_a_quarter_second_at_most(
    pair: Pair, tmp_path: Path
) -> None:
    pair.wait_until_up()
    streams = {"up": (pair.site, SITE_IP, FAR_IP), "down": (pair.far, FAR_IP, SITE_IP)}
    for name, (end, own, to) in streams.items():
        words = ["--from", f"{own}:7000", "--to", f"{to}:7000", "--report", str(tmp_path / name)]
        argv = [sys.executable, "-m", "openbond.lab.stream", *words]
        pair.programs.start(f"stream-{name}", end.namespace.argv(argv))
    time.sleep(1.0)

    pair.cut(2)
    wait_until(lambda: leg_states(pair)[1] is ShownState.DOWN, what="leg 2 is down", patience=2.0)
    time.sleep(0.5)
    for name in streams:
        pair.programs.end(f"stream-{name}")

    for name in streams:
        report = msgspec.json.decode((tmp_path / name).read_bytes(), type=StreamReport)
        assert report.longest_gap <= 0.250, name
    pair.mend(2)
    pair.wait_until_up()


@pytest.mark.speeds
def test_a_killed_daemon_is_replaced_and_the_bond_carries_again_within_three_seconds(
    pair: Pair,
) -> None:
    began = time.monotonic()
    subprocess.run([*OPENBOND, "node", "tunnel", "--help"], check=True, capture_output=True)
    start_of_a_program = time.monotonic() - began

    os.kill(pid_of(pair), signal.SIGKILL)
    killed_at = time.monotonic()
    pair.start_daemon(pair.site)
    wait_until(lambda: pings(pair), what="packets cross again", patience=60.0)

    # A second for the program, on a machine that nobody else uses, and two for the rest.
    assert time.monotonic() - killed_at < 3.0 * max(1.0, start_of_a_program)
    pair.wait_until_up()


def test_the_agent_can_take_a_leg_down_and_give_it_back(pair: Pair) -> None:
    pair.wait_until_up()

    assert pair.ask(pair.site, LegDown(leg_id=1, why="no carrier on l1")) == Done()
    status = pair.status(pair.site)
    assert (status.legs[0].state, status.legs[0].waiting_for) == (
        ShownState.DOWN,
        "no carrier on l1",
    )
    assert status.warnings == ["leg 1: no carrier on l1"]
    assert pings(pair)

    assert pair.ask(pair.site, LegReady(leg_id=1)) == Done()
    pair.wait_until_up()
    assert pair.status(pair.site).warnings == []


def test_an_unknown_leg_or_request_is_refused_in_words(pair: Pair) -> None:
    answer = pair.ask(pair.site, LegDown(leg_id=99, why=""))

    assert answer == Refused(why="Leg 99 is not in the settings.")


def test_settings_of_another_bond_are_refused_and_change_nothing(pair: Pair) -> None:
    settings = pair.settings(pair.site)
    foreign = msgspec.structs.replace(settings.bond, id=8)

    answer = pair.ask(pair.site, Reload(settings=msgspec.structs.replace(settings, bond=foreign)))

    assert isinstance(answer, Refused)
    assert "bond 8" in answer.why
    assert pings(pair)


def test_a_subscriber_hears_of_states_and_a_second_daemon_is_refused(pair: Pair) -> None:
    pair.wait_until_up()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(5.0)
        channel.connect(str(socket_path(pair.site.root, BOND_ID)))
        channel.sendall(encode_line(Subscribe()))
        lines = channel.makefile("rb")
        assert decode_line(lines.readline()) == Done()
        pair.ask(pair.site, LegDown(leg_id=2, why="modem is gone"))

        heard = [decode_line(lines.readline()) for _ in range(2)]

    moved = next(event for event in heard if isinstance(event, LegStateMoved))
    assert (moved.leg_id, moved.new, moved.signal) == (2, ShownState.DOWN, "LOST")
    pair.ask(pair.site, LegReady(leg_id=2))
    pair.wait_until_up()


def test_a_second_daemon_of_the_same_bond_is_refused(pair: Pair) -> None:
    words = ["node", "tunnel", "--root", str(pair.site.root), "--bond", str(BOND_ID)]

    pair.programs.start("second", pair.site.namespace.argv([*OPENBOND, *words]))
    wait_until(lambda: bool(pair.programs.last_words("second")), what="a refusal", patience=10)

    assert "already runs here" in pair.programs.last_words("second")


def test_a_leg_whose_interface_is_missing_waits_and_comes_up_when_it_appears(pair: Pair) -> None:
    pair.wait_until_up()
    settings = pair.settings(pair.site)
    without = [
        msgspec.structs.replace(link, interface="l9") if link.leg_id == 1 else link
        for link in settings.links
    ]

    changed = msgspec.structs.replace(settings, links=without)
    assert pair.ask(pair.site, Reload(settings=changed)) == Done()

    leg = pair.status(pair.site).legs[0]
    assert (leg.state, leg.waiting_for) == (ShownState.DOWN, "interface l9 does not exist")
    assert pings(pair)
    pair.ask(pair.site, Reload(settings=settings))
    pair.wait_until_up()


def test_a_taken_port_is_said_in_words_and_the_other_legs_go_on(pair: Pair, tmp_path: Path) -> None:
    namespace = Namespace(f"tdt{os.getpid()}-port")
    namespace.create()
    try:
        root = tmp_path / "root"
        settings = pair.settings(pair.far)
        store.write(settings_path(root, BOND_ID), encode_settings(settings))
        hog = "import socket, time; s = socket.socket(2, 2); s.bind(('', 2001)); time.sleep(60)"
        pair.programs.start("hog", namespace.argv([sys.executable, "-c", hog]))
        wait_until(
            lambda: ":2001" in namespace.run(["ss", "-lun"]), what="the port is taken", patience=5
        )
        words = ["node", "tunnel", "--root", str(root), "--bond", str(BOND_ID)]
        pair.programs.start("far2", namespace.argv([*OPENBOND, *words]))
        path = socket_path(root, BOND_ID)
        wait_until(path.exists, what="it answers", patience=10)

        status = _status_at(path)

        assert "UDP port 2001 is taken" in status.legs[0].waiting_for
        assert status.legs[1].waiting_for == ""
    finally:
        namespace.remove()


def _status_at(path: Path) -> StatusAnswer:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(5.0)
        channel.connect(str(path))
        channel.sendall(b'{"type":"status"}\n')
        answer = decode_line(channel.makefile("rb").readline())
    assert isinstance(answer, StatusAnswer)
    return answer


def test_the_device_stays_when_the_daemon_is_gone(pair: Pair) -> None:
    os.kill(pid_of(pair), signal.SIGTERM)
    wait_until(lambda: not pair.states(pair.site), what="the daemon has ended", patience=5)

    shown = pair.site.namespace.ip("address", "show", "dev", DEVICE)

    assert SITE_IP in shown
    pair.start_daemon(pair.site)
    # Not `up`: the legs went down so often in this file that they rightly read `unhealthy`.
    wait_until(lambda: pings(pair), what="packets cross again", patience=10)
