"""PPPoE legs: pppd's options as golden text, the plan around them, and the dialer with a pppd."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from openbond.node.agent.readiness import obstacles
from openbond.node.agent.states import leg_facts
from openbond.node.daemon_messages import decode_settings
from openbond.node.linux.lines import place_ppp_hook, read_lines
from openbond.node.notes import waiting_notes
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import plan
from openbond.node.plan.facts import Facts, Line, Machine
from openbond.node.plan.ppp import pppd_options, quoted
from openbond.node.plan.tunnels import inner_mtu
from openbond.node.plan.values import Link, LinkMtu, Observed, Ruleset
from openbond.node.pppoe.dialer import Dialer
from openbond.node.pppoe.redial import MOST_S, Redial, in_words
from openbond.node.store import write
from openbond.wire.config import NodeContent
from tests.node.samples import bond, bonder, pppoe_leg

HOOK, LINE_FILE = "/var/lib/bonding/ppp-hook", "/run/bonding/lines/23.json"
FACTS = Facts(
    Machine(
        "/key",
        "/hook",
        "/leases",
        ("tunnel",),
        ppp_argv=("pppoe", "--leg"),
        ppp_hook=HOOK,
        lines="/run/bonding/lines",
    )
)
LINE = Line(interface="ppp23", ip="198.51.100.77", gateway="198.51.100.1")
UP = replace(FACTS, lines={23: LINE})


def text(words: str) -> str:
    return dedent(words).strip() + "\n"


# ------------------------------------------------------------------------------------ the options


def test_the_options_of_a_line_are_these() -> None:
    """pppd 2.4.9 was asked with `dryrun`: it takes all of them, and reads the words as meant."""
    leg = pppoe_leg(
        23, "eth3", username='a "b" \\c #d', password="p#w \"x\\y' z\t!", service_name=""
    )

    assert pppd_options(leg, HOOK, LINE_FILE).decode() == text(r"""
        plugin pppoe.so
        nic-eth3
        ifname ppp23
        user "a \"b\" \\c #d"
        password "p#w \"x\\y' z\t!"
        hide-password
        noauth
        mtu 1492
        mru 1492
        lcp-echo-interval 10
        lcp-echo-failure 3
        nodetach
        nopersist
        maxfail 1
        noipdefault
        nodefaultroute
        noproxyarp
        noipv6
        noccp
        ip-up-script "/var/lib/bonding/ppp-hook"
        ip-down-script "/var/lib/bonding/ppp-hook"
        ipparam "/run/bonding/lines/23.json"
    """)


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("", '""'),
        ("two words", '"two words"'),
        ("line\nfeed", '"line\\nfeed"'),
        ('"; defaultroute', '"\\"; defaultroute"'),
        ("\x01\x1b", '"\\001\\033"'),
        ("Müller", '"Müller"'),
    ],
)
def test_no_word_of_the_user_becomes_an_option(word: str, written: str) -> None:
    assert quoted(word) == written


def test_a_service_name_is_asked_for() -> None:
    options = pppd_options(pppoe_leg(service_name="gold line"), HOOK, LINE_FILE)

    assert b'\npppoe-service "gold line"\n' in options


@pytest.mark.parametrize(("asked", "given"), [(None, 1492), (1500, 1492), (1400, 1400)])
def test_the_mtu_is_1492_at_most(asked: int | None, given: int) -> None:
    leg = pppoe_leg(interface_mtu=asked)

    assert f"\nmtu {given}\nmru {given}\n".encode() in pppd_options(leg, HOOK, LINE_FILE)
    assert inner_mtu(bond(legs=[leg]), FACTS) == given - 64


# --------------------------------------------------------------------------------------- the plan


def steps(facts: Facts) -> list[str]:
    links = {name: Link(name, up=True, carrier=True, mtu=1500) for name in ("eth3", "ppp23")}
    found = plan(desired=desired_for(content(), facts), observed=Observed(links=links))
    return [str(step) for step in found.steps]


def content() -> NodeContent:
    return bonder(bond(legs=[pppoe_leg(23, "eth3")]))


def test_a_line_that_is_up_has_a_table_of_its_own_and_no_default_route() -> None:
    lines = steps(UP)

    assert [line for line in lines if "100000023" in line] == [
        "add route 198.51.100.77/32 dev ppp23 src 198.51.100.77 table 100000023",
        "add route 0.0.0.0/0 dev ppp23 src 198.51.100.77 table 100000023",
        "add route 0.0.0.0/0 unreachable metric 4278198272 table 100000023",
        "add rule 10100: oif ppp23 lookup 100000023",
        "add rule 10200: from 198.51.100.77/32 lookup 100000023",
    ]
    assert "add settings ppp/23.options" in lines
    assert "add program pppoe-23" in lines
    assert not [line for line in lines if line.startswith("add address 198.51.100.77")]


def test_the_tunnel_leaves_by_the_line_and_not_by_the_interface_below_it() -> None:
    (file,) = desired_for(content(), UP).files

    (link,) = decode_settings(file.text).links

    assert (link.interface, link.source) == ("ppp23", "198.51.100.77")


def test_the_password_is_in_the_file_for_root_and_nowhere_else() -> None:
    desired = desired_for(content(), UP)

    assert [b"secret" in file.text for file in desired.client_files] == [True]
    assert "secret" not in " ".join(map(str, [*desired.programs, *steps(UP)]))
    assert all("secret" not in word for program in desired.programs for word in program.argv)


def test_an_mtu_for_the_line_leaves_the_interface_below_alone() -> None:
    desired = desired_for(bonder(bond(legs=[pppoe_leg(23, "eth3", interface_mtu=1400)])), UP)

    mtus = [item for item in desired.settings if isinstance(item, LinkMtu)]
    assert [item.interface for item in mtus] == ["tun7"]


def test_nothing_is_forwarded_by_the_line_or_the_interface_below_it() -> None:
    settings = desired_for(content(), UP).settings
    (ruleset,) = [item for item in settings if isinstance(item, Ruleset)]

    assert '"set":["eth3","ppp23"]' in ruleset.text


def test_why_there_is_no_session_is_a_warning_and_the_legs_obstacle() -> None:
    refused = replace(FACTS, lines={23: Line(trouble="the provider refused the login")})

    warnings = desired_for(content(), refused).warnings
    found = list(obstacles(content(), refused, Observed()))

    assert ("leg 23", "the provider refused the login") in warnings
    assert found == [(7, 23, "the provider refused the login")]


def test_the_server_is_told_the_address_of_the_line() -> None:
    (fact,) = leg_facts(content(), {}, UP)

    assert (fact.ip, fact.prefix, fact.gateway) == ("198.51.100.77", 32, "198.51.100.1")


# ----------------------------------------------------------------------------------- pppd's script


def run_hook(hook: Path, line: Path, **environment: str) -> None:
    words = ["ppp23", "/dev/pts/0", "0", "198.51.100.77", "198.51.100.1", str(line)]
    done = subprocess.run(
        [hook, *words],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_pppd_agreed_is_left_for_the_agent_and_taken_away_at_the_end(tmp_path: Path) -> None:
    hook, line = tmp_path / "ppp-hook", tmp_path / "lines" / "23.json"
    place_ppp_hook(hook)

    run_hook(hook, line)
    up = read_lines(line.parent)
    run_hook(hook, line, CONNECT_TIME="100")

    assert up == {23: LINE}
    assert read_lines(line.parent) == {}


@pytest.mark.parametrize(
    "written", ["", "{", '{"ip": "300.1.1.1"}', '{"ip": "192.0.2.1", "gateway": "x"}', "[]"]
)
def test_a_damaged_line_is_no_line(tmp_path: Path, written: str) -> None:
    (tmp_path / "23.json").write_text(written)
    (tmp_path / "x.json").write_text("{}")

    assert read_lines(tmp_path) == {}


# -------------------------------------------------------------------------------------- redialling


def test_redialling_doubles_from_one_second_to_a_minute_and_goes_on_for_ever() -> None:
    redial, waits = Redial(), []
    for _ in range(9):
        redial = redial.ended(lasted_s=0)
        waits.append(redial.delay_s(dice=0.99999))

    assert [round(wait) for wait in waits] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    for _ in range(3000):
        redial = redial.ended(lasted_s=0)
    assert redial.delay_s(dice=0.5) <= MOST_S


def test_a_session_that_lasted_begins_anew_with_a_second() -> None:
    redial = Redial(9).ended(lasted_s=3600)

    assert redial.delay_s(dice=0.99999) == pytest.approx(1, abs=0.01)


def test_two_lines_of_a_street_do_not_dial_together() -> None:
    redial = Redial(7)

    assert redial.delay_s(dice=0.0) == 30
    assert redial.delay_s(dice=0.5) == 45


def test_a_refused_login_is_said_in_words() -> None:
    assert in_words(19, "eth3") == (
        "the provider refused the login: check username and password of this leg"
    )
    assert in_words(8, "eth3").startswith("nobody answers PPPoE on eth3")
    assert in_words(77, "eth3") == "pppd ended with exit code 77"
    assert in_words(-9, "eth3") == "pppd was killed by signal 9"


# --------------------------------------------------------------------------------------- the dialer


class Place:
    """A root with options of leg 23, and a program that stands for pppd: it does as it is told."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root)
        self.calls = root / "calls"
        self.pppd = root / "pppd"
        (root / "ppp").touch()
        write(root / "plugins" / "2.4.9" / "pppoe.so", b"")
        self.options("first")
        self.does("exit 19")

    def options(self, username: str) -> None:
        text = pppd_options(pppoe_leg(23, "eth3", username=username), HOOK, LINE_FILE)
        write(self.paths.ppp / "23.options", text)

    def does(self, body: str) -> None:
        words = f'#!/bin/sh\ngrep ^user "$2" >>{self.calls}\n{body}\n'
        write(self.pppd, words.encode(), mode=0o755)

    def dialler(self) -> Dialer:
        root = self.paths.root
        return Dialer(
            self.paths,
            23,
            command=(str(self.pppd),),
            device=root / "ppp",
            plugins=root / "plugins",
        )

    def live(self, story: Callable[[Dialer], Awaitable[None]]) -> None:
        async def life() -> None:
            dialer = self.dialler()
            dialling = asyncio.create_task(dialer.dial())
            try:
                async with asyncio.timeout(20):
                    await story(dialer)
            finally:
                dialer.end()
                await dialling

        asyncio.run(life())

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def line(self) -> Line:
        return read_lines(self.paths.lines).get(23, Line())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def test_a_refusal_is_told_once_and_dialled_again_all_the_same(place: Place) -> None:
    async def story(_: Dialer) -> None:
        await until(lambda: len(place.called()) >= 2)
        assert place.line().trouble.startswith("the provider refused the login")

    place.live(story)

    assert [note.about for _, note in waiting_notes(place.paths.notes)] == ["leg 23"]


def test_other_settings_hang_up_and_dial_at_once(place: Place) -> None:
    place.does("exec sleep 600")

    async def story(_: Dialer) -> None:
        await until(lambda: len(place.called()) == 1)
        place.options("second")
        await until(lambda: len(place.called()) == 2)

    place.live(story)

    assert place.called() == ['user "first"', 'user "second"']


def test_the_end_of_the_dialer_is_the_end_of_pppd_and_of_the_line(place: Place) -> None:
    place.does(f"echo $$ >{place.paths.root}/pid; exec sleep 600")
    pid_file = place.paths.root / "pid"

    async def story(_: Dialer) -> None:
        await until(lambda: pid_file.exists() and pid_file.read_text())
        write(place.paths.lines / "23.json", json.dumps({"interface": "ppp23"}).encode())

    place.live(story)

    assert not Path(f"/proc/{pid_file.read_text().strip()}").exists()
    assert read_lines(place.paths.lines) == {}


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("ppp", "the kernel has no PPP"),
        ("plugins/2.4.9/pppoe.so", "install the Debian package ppp"),
    ],
)
def test_a_machine_without_ppp_says_what_to_install(place: Place, missing: str, words: str) -> None:
    (place.paths.root / missing).unlink()

    async def story(_: Dialer) -> None:
        await until(lambda: words in place.line().trouble)

    place.live(story)

    assert place.called() == []


def test_a_dialer_that_is_killed_takes_pppd_with_it(place: Place) -> None:
    place.does(f"echo $$ >{place.paths.root}/pid; exec sleep 600")
    pid_file = place.paths.root / "pid"
    code = (
        "import asyncio, sys; from pathlib import Path; from openbond.node.paths import Paths;"
        "from openbond.node.pppoe.dialer import Dialer; root = Path(sys.argv[1]);"
        "asyncio.run(Dialer(Paths(root), 23, command=(str(root / 'pppd'),), device=root / 'ppp',"
        " plugins=root / 'plugins').run())"
    )
    dialer = subprocess.Popen([sys.executable, "-c", code, str(place.paths.root)])
    _wait(lambda: pid_file.exists() and pid_file.read_text())

    dialer.kill()
    dialer.wait()

    _wait(lambda: not _runs(pid_file.read_text().strip()))


def _wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
