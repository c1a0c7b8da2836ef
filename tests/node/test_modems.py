"""The modem client against ModemManager's interface on a private bus, and the plan of its legs."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from dbus_fast import Variant

from openbond.node import daemon_messages as messages
from openbond.node.agent.known import Known
from openbond.node.agent.readiness import obstacles
from openbond.node.agent.states import leg_facts
from openbond.node.linux.lines import read_lines, read_modem_facts, read_signals
from openbond.node.modems.assignment import assigned
from openbond.node.modems.client import ModemClient
from openbond.node.modems.ladder import Rung
from openbond.node.modems.messages import ModemFacts, ModemLeg, ModemSettings, encode_settings
from openbond.node.modems.objects import Modem, technology
from openbond.node.modems.usb_power import NoSwitch, switch_off_and_on
from openbond.node.notes import waiting_notes
from openbond.node.paths import Paths
from openbond.node.plan.desired import desired_for
from openbond.node.plan.difference import plan
from openbond.node.plan.facts import Facts, Lease, Line, Machine
from openbond.node.plan.values import Hook, Link, Observed
from openbond.node.store import remove, write
from openbond.wire.config import NodeContent
from openbond.wire.states import LinkMode, ShownState
from tests.node.fake_modem_manager import (
    DHCP,
    FAILED,
    LOCKED,
    PPP,
    REGISTERED,
    FakeModemManager,
    modem_manager,
    private_bus,
)
from tests.node.samples import bond, bonder, dhcp_leg, mobile_leg

LINE = Line(
    interface="wwan0",
    ip="100.64.0.7",
    prefix=28,
    gateway="100.64.0.8",
    name_servers=["100.64.0.53"],
    mtu=1430,
)
LEG = ModemLeg(leg_id=24, bond_id=7, apn="internet.example")
QUICK = {Rung.RECONNECT: 0.4, Rung.RESET: 1.2, Rung.POWER: 2.4}


class Place:
    """A node with a modem client, ModemManager, and a tunnel daemon that hears the leg or not."""

    def __init__(self, root: Path, bus: str) -> None:
        self.paths, self.bus = Paths(root), bus
        self.silent = False
        self.wants(LEG)

    def wants(self, *legs: ModemLeg) -> None:
        settings = encode_settings(ModemSettings(legs=list(legs)))
        write(self.paths.modem_settings, settings, mode=0o600)

    def client(self) -> ModemClient:
        return ModemClient(self.paths, bus_address=self.bus, rungs=QUICK, look_every_s=0.1)

    def line(self, leg_id: int = 24) -> Line | None:
        return read_lines(self.paths.lines).get(leg_id)

    def is_served(self) -> bool:
        """The line is there, and not just the word that ModemManager was not yet seen."""
        line = self.line()
        return line is not None and not line.trouble

    def notes(self) -> list[str]:
        return [note.text for _, note in waiting_notes(self.paths.notes)]

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[ModemClient]:
        client = self.client()
        serving = asyncio.create_task(client.serve())
        try:
            yield client
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    @asynccontextmanager
    async def tunnel_daemon(self) -> AsyncIterator[None]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await reader.readline():
                writer.write(messages.encode_line(self._status()))
                await writer.drain()
            writer.close()

        path = messages.socket_path(self.paths.root, 7)
        server = await asyncio.start_unix_server(answer, path)
        try:
            yield
        finally:
            server.close()

    def _status(self) -> messages.StatusAnswer:
        state = ShownState.DOWN if self.silent else ShownState.UP
        leg = messages.LegStatus(leg_id=24, state=state, path_mtu=1430, path_mtu_measured=True)
        return messages.StatusAnswer(bond_id=7, pid=1, started_at_ms=1, inner_mtu=1366, legs=[leg])

    def live(self, story: Callable[[FakeModemManager], Awaitable[None]]) -> None:
        async def life() -> None:
            async with asyncio.timeout(40), modem_manager(self.bus) as manager:
                await story(manager)

        asyncio.run(life())


@pytest.fixture(scope="module")
def bus() -> Iterator[str]:
    # The path of a Unix socket is short; pytest's own directories are not.
    with TemporaryDirectory(prefix="obm") as directory, private_bus(Path(directory)) as address:
        yield address


@pytest.fixture
def place(bus: str) -> Iterator[Place]:
    with TemporaryDirectory(prefix="obm") as root:
        yield Place(Path(root), bus)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


# ---------------------------------------------------------------------------------- connecting


def test_a_modem_is_connected_with_the_profile_and_its_address_is_left_for_the_agent(
    place: Place,
) -> None:
    place.wants(replace_leg(username="user", password="word"))

    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(lambda: place.line() == LINE)

        (asked,) = modem.asked
        assert {name: (value.signature, value.value) for name, value in asked.items()} == {
            "apn": ("s", "internet.example"),
            "ip-type": ("u", 1),
            "user": ("s", "user"),
            "password": ("s", "word"),
            "allowed-auth": ("u", 6),
        }

    place.live(story)


def replace_leg(leg_id: int = 24, **changes: str) -> ModemLeg:
    return ModemLeg(
        leg_id=leg_id,
        bond_id=7,
        apn=changes.get("apn", LEG.apn),
        username=changes.get("username", ""),
        password=changes.get("password", ""),
        modem=changes.get("modem", ""),
    )


def test_without_a_login_none_is_offered(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(place.is_served)

        assert set(modem.asked[0]) == {"apn", "ip-type"}

    place.live(story)


def test_what_is_known_of_the_modem_is_left_too_and_follows_it(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(lambda: read_signals(place.paths.modems))
            first = read_modem_facts(place.paths.modems)[24]
            modem.quality, modem.technologies, modem.operator = 12, 1 << 5, "Other"
            await until(lambda: read_modem_facts(place.paths.modems)[24] != first)

        assert first == ModemFacts(
            imei="490154203237518",
            operator="Example Mobile",
            access_technology="4g",
            signal_quality=71,
            signal=-93,
        )
        now = read_modem_facts(place.paths.modems)[24]
        assert (now.signal_quality, now.access_technology, now.operator) == (12, "3g", "Other")

    place.live(story)


def test_the_signal_is_asked_for_once_and_forgotten_with_the_modem(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(lambda: read_signals(place.paths.modems) == {24: -93})
            modem.rsrp = -101.6
            await until(lambda: read_signals(place.paths.modems) == {24: -102})
            modem.rsrp = -32768.0
            await until(lambda: read_signals(place.paths.modems) == {})
            modem.rsrp = -80.0
            await until(lambda: read_signals(place.paths.modems) == {24: -80})
            manager.plug_out(modem)
            await until(lambda: read_signals(place.paths.modems) == {})

        assert modem.set_up == [10]
        assert read_modem_facts(place.paths.modems)[24].operator == "Example Mobile"

    place.live(story)


def test_a_modem_that_cannot_measure_its_signal_is_not_asked_again(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        modem.measures_signal = False
        async with place.serving():
            await until(lambda: place.line() and modem.set_up)
            await asyncio.sleep(1.0)  # some looks

        assert modem.set_up == [10]
        assert read_signals(place.paths.modems) == {}

    place.live(story)


def test_a_client_that_is_restarted_leaves_the_connection_alone(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(place.is_served)
        remove(place.paths.lines / "24.json")
        async with place.serving():
            await until(place.is_served)

        assert modem.calls == ["Connect"]

    place.live(story)


def test_another_apn_is_connected_anew(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(place.is_served)
            place.wants(replace_leg(apn="other.example"))
            await until(lambda: len(modem.asked) == 2)

        assert modem.calls == ["Connect", "Disconnect", "Connect"]
        assert modem.asked[1]["apn"].value == "other.example"

    place.live(story)


def test_a_leg_that_is_gone_is_disconnected_and_leaves_nothing(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(place.is_served)
            place.wants()
            await until(lambda: modem.calls == ["Connect", "Disconnect"])

        assert place.line() is None
        assert read_modem_facts(place.paths.modems) == {}

    place.live(story)


def test_a_disconnection_that_fails_is_tried_again(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(place.is_served)
            modem.keeps = 2
            place.wants()
            await until(lambda: modem.state == REGISTERED)

        assert modem.calls == ["Connect", "Disconnect", "Disconnect", "Disconnect"]

    place.live(story)


def test_a_leg_that_goes_while_its_modem_connects_is_disconnected_afterwards(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        modem.may_connect.clear()
        async with place.serving():
            await until(lambda: modem.calls == ["Connect"])
            place.wants()
            await asyncio.sleep(0.5)  # some looks
            modem.may_connect.set()
            await until(lambda: modem.calls == ["Connect", "Disconnect"])

    place.live(story)


def test_a_modem_that_passes_to_another_leg_stays_connected(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(place.is_served)
            place.wants(replace_leg(25))
            await until(lambda: place.line(25) == LINE)

        assert modem.calls == ["Connect"]

    place.live(story)


def test_the_last_leg_gone_disconnects_when_the_client_ends(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving() as client:
            await until(place.is_served)
        remove(place.paths.modem_settings)
        await client.let_go()

        assert modem.calls == ["Connect", "Disconnect"]

    place.live(story)


def test_a_modem_that_asks_for_dhcp_has_its_address_from_there(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        manager.new_modem(net="wwan7").ip4 = {"method": Variant("u", DHCP)}
        async with place.serving():
            await until(lambda: place.line() == Line(interface="wwan7"))

    place.live(story)


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        ({"refuses": "No carrier"}, "does not connect: No carrier"),
        ({"state": LOCKED}, "asks for its PIN"),
        ({"state": FAILED, "failure": 2}, "it has no SIM card"),
        ({"ip4": {"method": Variant("u", PPP)}}, "only a serial line"),
        ({"ip4": {}}, "gave no IPv4 address"),
    ],
)
def test_what_keeps_a_modem_from_serving_is_said_in_words(
    place: Place, happens: dict[str, object], words: str
) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        for name, value in happens.items():
            setattr(modem, name, value)
        async with place.serving():
            await until(lambda: words in (place.line() or Line()).trouble)

    place.live(story)


def test_a_modem_that_is_unplugged_takes_its_address_with_it_and_comes_back(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(lambda: place.line() == LINE)
            manager.plug_out(modem)
            await until(lambda: place.line() == Line(trouble="no modem is free: plug one in"))
            manager.plug_in(modem)
            await until(lambda: place.line() == LINE)

    place.live(story)


def test_without_modem_manager_the_trouble_says_what_to_install(place: Place) -> None:
    async def story() -> None:
        async with asyncio.timeout(20), place.serving():
            await until(lambda: place.line())

    asyncio.run(story())

    assert place.line() == Line(
        trouble="ModemManager does not run: install the Debian package modemmanager"
    )


def test_without_a_bus_the_trouble_says_so(place: Place) -> None:
    place.bus = "unix:path=/nowhere/bus"

    async def story() -> None:
        async with asyncio.timeout(20), place.serving():
            await until(lambda: place.line())

    asyncio.run(story())

    assert "the system's D-Bus cannot be reached" in (place.line() or Line()).trouble


def test_two_legs_have_a_modem_each_and_one_trouble_holds_up_no_other(place: Place) -> None:
    place.wants(LEG, replace_leg(25, modem="1-3"))

    async def story(manager: FakeModemManager) -> None:
        manager.new_modem("111111111111111", "/sys/devices/usb1/1-2").refuses = "No carrier"
        manager.new_modem("222222222222222", "/sys/devices/usb1/1-3", net="wwan1")
        async with place.serving():
            await until(lambda: (place.line(25) or Line()).interface == "wwan1")
            await until(lambda: "No carrier" in (place.line(24) or Line()).trouble)

    place.live(story)


# ---------------------------------------------------------------------------------- the ladder


def test_a_modem_that_says_connected_but_passes_nothing_is_climbed_back_to_and_reported(
    place: Place,
) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.tunnel_daemon(), place.serving():
            await until(lambda: place.line() == LINE)
            place.silent = True
            await until(lambda: "Reset" in modem.calls)
            await until(lambda: place.line() == LINE)
            await until(lambda: len(place.notes()) >= 3)

        assert modem.calls[:4] == ["Connect", "Disconnect", "Connect", "Reset"]
        kinds = [note.partition(": ")[2] for note in place.notes()]
        assert kinds[:3] == [
            "the modem was connected anew",
            "the modem was reset",
            "the power did not work: this machine cannot switch the power of the modem's USB port",
        ]
        assert all(note.startswith("nothing was heard for ") for note in place.notes())

    place.live(story)


def test_a_leg_that_is_heard_keeps_its_modem_as_it_is(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.tunnel_daemon(), place.serving():
            await until(lambda: place.line() == LINE)
            await asyncio.sleep(3 * QUICK[Rung.RECONNECT])

        assert modem.calls == ["Connect"]
        assert place.notes() == []

    place.live(story)


def test_a_tunnel_daemon_that_does_not_answer_condemns_no_modem(place: Place) -> None:
    async def story(manager: FakeModemManager) -> None:
        modem = manager.new_modem()
        async with place.serving():
            await until(lambda: place.line() == LINE)
            await asyncio.sleep(3 * QUICK[Rung.RECONNECT])

        assert modem.calls == ["Connect"]

    place.live(story)


def test_the_power_of_the_usb_port_goes_off_and_on(tmp_path: Path) -> None:
    modem, port = tmp_path / "1-2", tmp_path / "usb1-port2"
    modem.mkdir()
    port.mkdir()
    (port / "disable").write_text("0\n")
    (modem / "port").symlink_to(port)
    seen = []

    async def story() -> None:
        switching = asyncio.create_task(switch_off_and_on(str(modem), off_for_s=0.2))
        await asyncio.sleep(0.1)
        seen.append((port / "disable").read_text())
        await switching

    asyncio.run(story())

    assert seen == ["1"]
    assert (port / "disable").read_text() == "0"


@pytest.mark.parametrize("found", ["", "/sys/devices/nowhere"])
def test_a_machine_without_such_a_switch_says_so(found: str) -> None:
    with pytest.raises(NoSwitch, match="cannot switch the power"):
        asyncio.run(switch_off_and_on(found))


# ------------------------------------------------------------------------------ which modem, pure


def modem(imei: str, place: str = "") -> Modem:
    return Modem(f"/{imei}", imei, place, 8, "", ModemFacts(), ())


def chosen(
    legs: list[ModemLeg], modems: list[Modem], before: dict[int, str] | None = None
) -> dict[int, str]:
    return {leg_id: one.imei for leg_id, one in assigned(legs, modems, before or {}).items()}


def test_a_leg_that_names_its_modem_gets_it_before_others_take_it() -> None:
    legs = [replace_leg(24), replace_leg(25, modem="1")]

    assert chosen(legs, [modem("1"), modem("2")]) == {25: "1", 24: "2"}


def test_a_modem_is_known_by_its_place_too() -> None:
    modems = [modem("1", "/sys/devices/usb1/1-2"), modem("2", "/sys/devices/usb1/1-3")]

    assert chosen([replace_leg(24, modem="1-3")], modems) == {24: "2"}
    assert chosen([replace_leg(24, modem="/sys/devices/usb1/1-3")], modems) == {24: "2"}
    assert chosen([replace_leg(24, modem="-3")], modems) == {}


def test_a_leg_keeps_the_modem_it_had() -> None:
    legs = [replace_leg(24), replace_leg(25)]

    assert chosen(legs, [modem("1"), modem("2")], {25: "1"}) == {25: "1", 24: "2"}
    assert chosen(legs, [modem("2")], {25: "1"}) == {24: "2"}


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0, None),
        (1, None),
        (1 << 1, "2g"),
        (1 << 8, "3g"),
        (1 << 14 | 1 << 5, "4g"),
        (3 << 14, "5g"),
    ],
)
def test_the_newest_technology_in_use_is_shown(bits: int, words: str | None) -> None:
    assert technology(bits) == words


# --------------------------------------------------------------------------------------- the plan

FACTS = Facts(
    Machine("/key", "/hook", "/leases", ("tunnel",), modem_argv=("modems",), lines="/lines")
)
UP = replace(FACTS, lines={24: LINE})
SECRET = "pass word"


def content(**leg: object) -> NodeContent:
    return bonder(bond(legs=[mobile_leg(24, username="u", password=SECRET, **leg)]))


def steps(facts: Facts) -> list[str]:
    links = {"wwan0": Link("wwan0", up=True, carrier=True, mtu=1500)}
    desired = desired_for(content(), facts)
    return [str(step) for step in plan(desired=desired, observed=Observed(links=links)).steps]


def test_a_mobile_leg_has_a_table_of_its_own_like_any_other() -> None:
    lines = steps(UP)

    assert [
        line for line in lines if "100000024" in line or ("wwan0" in line and "sysctl" not in line)
    ] == [
        "set link wwan0 mtu 1430",
        "add address 100.64.0.7/28 dev wwan0 noprefixroute",
        "add route 100.64.0.0/28 dev wwan0 src 100.64.0.7 table 100000024",
        "add route 0.0.0.0/0 via 100.64.0.8 dev wwan0 src 100.64.0.7 table 100000024",
        "add route 0.0.0.0/0 unreachable metric 4278198272 table 100000024",
        "add rule 10100: oif wwan0 lookup 100000024",
        "add rule 10200: from 100.64.0.7/32 lookup 100000024",
    ]
    assert "add program modems" in lines


def test_a_modem_with_dhcp_gets_a_client_on_its_interface() -> None:
    facts = replace(FACTS, lines={24: Line(interface="wwan0")})
    lease = Lease(ip="10.9.0.2", prefix=24, obtained=1, seconds=60, gateway="10.9.0.1")

    (client,) = [p for p in desired_for(content(), facts).programs if p.name == "dhcp-24"]
    leased = steps(replace(facts, leases={24: lease}))

    assert client.argv[client.argv.index("-i") + 1] == "wwan0"
    assert "add address 10.9.0.2/24 dev wwan0 noprefixroute" in leased


def test_the_login_is_in_the_file_for_root_and_nowhere_else() -> None:
    desired = desired_for(content(), UP)

    assert [SECRET.encode() in file.text for file in desired.client_files] == [True]
    assert all(SECRET not in word for program in desired.programs for word in program.argv)
    assert SECRET not in " ".join(steps(UP))


def test_an_offline_mobile_leg_needs_no_modem() -> None:
    desired = desired_for(content(mode=LinkMode.OFFLINE), UP)

    assert not desired.client_files
    assert "modems" not in {program.name for program in desired.programs}


def test_an_idle_mobile_leg_is_treated_alike() -> None:
    desired = desired_for(content(mode=LinkMode.IDLE), UP)

    assert "modems" in {program.name for program in desired.programs}


def test_the_trouble_of_a_modem_is_a_warning_and_the_legs_obstacle() -> None:
    facts = replace(FACTS, lines={24: Line(trouble="no modem is free: plug one in")})

    assert ("leg 24", "no modem is free: plug one in") in desired_for(content(), facts).warnings
    assert list(obstacles(content(), facts, Observed())) == [
        (7, 24, "no modem is free: plug one in")
    ]


def test_the_hooks_of_a_mobile_leg_wait_for_its_interface() -> None:
    def legs(facts: Facts) -> list[Hook]:
        return [hook for hook in desired_for(content(), facts).hooks if hook.kind == "leg"]

    assert legs(FACTS) == []
    assert [hook.interface for hook in legs(UP)] == ["wwan0"]


def test_the_server_is_asked_by_the_modem_last() -> None:
    known = Known(FACTS.machine)
    known.lines = {24: LINE}
    known.leases = {22: Lease(ip="198.51.100.7", prefix=24, obtained=1, seconds=60)}
    both = bonder(bond(legs=[mobile_leg(24), dhcp_leg(22)]))

    way = next(way for way in known.ways(both) if way.leg_id == 24)

    assert (way.interface, way.source, way.is_mobile) == ("wwan0", "100.64.0.7", True)
    assert way.name_servers == ("100.64.0.53",)


def test_the_server_is_told_of_the_modem_with_the_states() -> None:
    modems = {
        24: ModemFacts(
            imei="490154203237518", operator="X", access_technology="5g", signal_quality=0
        )
    }

    (fact,) = leg_facts(content(), {}, UP, modems)

    assert (fact.imei, fact.operator, fact.access_technology) == ("490154203237518", "X", "5g")
    assert (fact.signal_quality, fact.interface, fact.ip) == (0, "wwan0", "100.64.0.7")


def test_settings_with_a_login_are_for_root_alone(place: Place) -> None:
    assert stat.S_IMODE(os.stat(place.paths.modem_settings).st_mode) == 0o600
