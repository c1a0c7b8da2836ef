"""Items 7, 8, 10, 68 and 70 of the acceptance list: what strangers see, send, and cannot do."""

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from openbond.lab.daemons import daemon_status
from openbond.lab.layout import AGGREGATORS, CORE, INTERNET, LINES, SITE
from openbond.lab.line import Shape
from openbond.lab.netns import Namespace
from openbond.lab.programs import OPENBOND
from openbond.lab.relay import Shapes
from openbond.lab.waiting import wait_until
from openbond.node.daemon_messages import StatusAnswer

from .recording import play_back, recorded
from .site import Site, all_applied
from .wiretap import addresses_of, udp_of

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

AGGREGATOR = AGGREGATORS[0]
CONFIG_WITHIN = 40.0


class Named(Struct):
    """What any list of the API shows, as far as it matters here."""

    id: int
    name: str


def status_of(site: Site, host: str) -> StatusAnswer:
    return daemon_status(site.lab.directory.node_root(host), site.bond_id)


def restart_daemon(site: Site, host: str) -> None:
    """Kill a tunnel daemon; return when the bond is whole again, with new sessions."""
    before = handshakes(site)
    assert site.kill(host, "openbond.node.tunnel_daemon") == 1
    wait_until(lambda: handshakes(site) != before, what="the legs agree on new keys", patience=30)
    site.wait_until_whole()


def handshakes(site: Site) -> list[tuple[int, int]]:
    """Return per leg which daemon of the aggregator it is, and how many handshakes it made."""
    try:
        status = status_of(site, AGGREGATOR.host)
    except OSError:
        return []
    return [(status.pid, leg.counters["handshakes"]) for leg in status.legs]


# ----------------------------------------------------------------------------- items 7 and 8

MARK = b"openbond"


def change(site: Site, **fields: object) -> None:
    """Change the bond and wait until both ends have it."""
    since = site.last_update()
    site.change_bond(**fields)
    wait_until(
        lambda: all_applied(site.config_updates(since)),
        what=f"both ends have {fields}",
        patience=CONFIG_WITHIN,
    )


def is_readable(site: Site, directory: Path) -> bool:
    """Say whether a listener before the aggregator can read what customers say."""
    pattern = MARK.hex()
    with recorded(site, AGGREGATOR.host, "eth0", directory) as recording:
        site.customer.run(["ping", "-q", "-c", "10", "-i", "0.05", "-p", pattern, INTERNET])
    outer = [found[1] for frame in recording.frames if (found := udp_of(frame))]
    assert len(outer) >= 10
    return any(MARK * 3 in payload for payload in outer)


def reads_as_it_should(site: Site, mode: str, directory: Path) -> bool:
    return is_readable(site, directory) is (mode != "encryption")


def load_profile(site: Site, file: Path, *, copies: int) -> None:
    """Make or replace the QoS profile "Twice": pings go on so many legs each."""
    classes = [
        {"name": "Voice", "bandwidth": 40, "copies": copies},
        {"name": "Rest", "bandwidth": 60, "default": True},
    ]
    filters = [{"class": "Voice", "protocol": "icmp"}]
    file.write_text(json.dumps({"name": "Twice", "classes": classes, "filters": filters}))
    words = ["server", "qos-profile", "load", str(file)]
    state = str(site.lab.directory.server_state)
    subprocess.run([*OPENBOND, *words, "--state", state], check=True, timeout=60)


def copies_of(site: Site) -> dict[str, int]:
    """Return, per end, how many datagrams were sent on a second leg."""
    ends = ("bonder", AGGREGATOR.host)
    return {host: status_of(site, host).counters["copies"] for host in ends}


def test_a_qos_profile_acts_at_both_ends_and_is_switched_in_service(
    site: Site, tmp_path: Path
) -> None:
    load_profile(site, tmp_path / "twice.json", copies=2)
    profile = next(
        one.id for one in site.api.get("/api/v3/qos/", list[Named]) if one.name == "Twice"
    )
    pids = {host: status_of(site, host).pid for host in ("bonder", AGGREGATOR.host)}
    try:
        change(site, qos_profile=profile)
        before = copies_of(site)
        site.customer.run(["ping", "-q", "-c", "20", "-i", "0.05", INTERNET])
        twice = {host: count - before[host] for host, count in copies_of(site).items()}

        since = site.last_update()
        load_profile(site, tmp_path / "once.json", copies=1)
        wait_until(
            lambda: (
                len(site.config_updates(since)) == 2 and all_applied(site.config_updates(since))
            ),
            what="the bond follows its profile",
            patience=CONFIG_WITHIN,
        )
        before = copies_of(site)
        site.customer.run(["ping", "-q", "-c", "20", "-i", "0.05", INTERNET])
        once = {host: count - before[host] for host, count in copies_of(site).items()}
    finally:
        change(site, qos_profile=None)

    assert min(twice.values()) >= 20
    assert once == {"bonder": 0, AGGREGATOR.host: 0}
    assert pids == {host: status_of(site, host).pid for host in pids}


@pytest.mark.timeout(180)
def test_switching_security_in_service_costs_at_most_half_a_second(
    site: Site, tmp_path: Path
) -> None:
    readable: dict[str, bool] = {}
    with site.stream(tmp_path) as streams:
        for mode in ("none", "hmac", "encryption"):
            change(site, tunnel_security=mode)
            wait_until(
                partial(reads_as_it_should, site, mode, tmp_path),
                what=f"{mode} is in use",
                patience=30,
            )
            readable[mode] = is_readable(site, tmp_path)  # twice: it lasts

    assert readable == {"none": True, "hmac": True, "encryption": False}
    assert streams.longest_gap() <= 0.5, (streams.up, streams.down)
    assert set(site.states().values()) == {"up"}


# ---------------------------------------------------------------------------------- item 10


@pytest.fixture
def firewall(site: Site) -> Iterator[None]:
    """Close the aggregator but for the ports of its legs, what it asks for itself, and what it
    tells the core about routes: that is the operator's own side.
    """
    ports = ", ".join(str(leg.tunnel_port) for leg in site.bond().leg_list)
    rules = (
        "table inet acceptance { chain input { type filter hook input priority -50; policy drop; "
        'iif "lo" accept; meta l4proto tcp ct state established accept; '
        f"ip saddr {CORE} tcp dport 179 accept; ip saddr {CORE} udp dport 3784 accept; "
        f"tcp dport 8005 accept; udp dport {{ {ports} }} accept; }}; }}\n"
    )
    host = site.lab.host(AGGREGATOR.host)
    host.run(["nft", "-f", "-"], given=rules)
    yield
    host.run(["nft", "delete", "table", "inet", "acceptance"])


@pytest.mark.usefixtures("firewall")
def test_a_firewall_open_for_the_leg_ports_alone_suffices(site: Site) -> None:
    # Programs that began before the firewall are unknown to it: all begin anew behind it.
    assert site.kill(AGGREGATOR.host, "node", "agent") == 1
    restart_daemon(site, AGGREGATOR.host)
    restart_daemon(site, "bonder")
    site.wait_until_nodes_listen()
    change(site, reorder_max_hold=140)

    wait_until(site.can_ping, what="customers are served", patience=20)
    assert [leg.tunnel_port for leg in site.bond().leg_list] == [
        2000 + leg.id for leg in site.bond().leg_list
    ]
    site.change_bond(reorder_max_hold=150)


# ---------------------------------------------------------------------------------- item 68


def dropped(site: Site) -> int:
    """Return how many datagrams the aggregator's daemon refused, for whatever reason."""
    legs = status_of(site, AGGREGATOR.host).legs
    return sum(
        count for leg in legs for name, count in leg.counters.items() if name.startswith("dropped_")
    )


def peers(site: Site) -> dict[int, str]:
    return {leg.leg_id: leg.peer for leg in status_of(site, AGGREGATOR.host).legs}


def test_recorded_packets_played_back_from_anywhere_move_nothing(
    site: Site, tmp_path: Path
) -> None:
    with recorded(site, AGGREGATOR.host, "eth0", tmp_path) as recording:
        # Handshakes shall be among them: the bonder's daemon makes new ones.
        restart_daemon(site, "bonder")
        site.customer.run(["ping", "-q", "-c", "50", "-i", "0.02", INTERNET])
    before, peers_before = dropped(site), peers(site)

    with site.stream(tmp_path) as streams:
        play_back(site, "core", "play", AGGREGATOR.host, str(recording.path))
        play_back(site, "internet", "send", AGGREGATOR.ip, str(recording.path))

    recorded_datagrams = sum(udp_of(frame) is not None for frame in recording.frames)
    assert recorded_datagrams > 100
    # Twice, from the right source and from another; a super-packet is not played back.
    assert dropped(site) - before > recorded_datagrams
    assert peers(site) == peers_before
    assert streams.up.twice == 0
    assert streams.missing() == 0, (streams.up, streams.down)
    assert set(site.states().values()) == {"up"}


# ---------------------------------------------------------------------------------- item 70

FOREIGN, FOREIGN_TABLE = "203.0.113.77", "9999"


@pytest.fixture
def stolen_bonder(site: Site) -> Iterator[Namespace]:
    """A bonder that sends a foreign source into its tunnel, which ours never does."""
    bonder, device = site.lab.host("bonder"), f"tun{site.bond_id}"
    bonder.ip("address", "add", f"{FOREIGN}/32", "dev", "lo")
    bonder.ip("route", "add", "default", "dev", device, "table", FOREIGN_TABLE)
    bonder.ip("rule", "add", "from", FOREIGN, "lookup", FOREIGN_TABLE, "pref", "1")
    yield bonder
    bonder.ip("rule", "delete", "from", FOREIGN, "pref", "1")
    bonder.ip("route", "flush", "table", FOREIGN_TABLE)
    bonder.ip("address", "delete", f"{FOREIGN}/32", "dev", "lo")


def test_a_foreign_source_dies_at_the_aggregator(
    site: Site, stolen_bonder: Namespace, tmp_path: Path
) -> None:
    before = dropped_sources(site)
    with recorded(site, "internet", "eth0", tmp_path) as recording:
        with pytest.raises(Exception, match="100% packet loss"):
            stolen_bonder.run(
                ["ping", "-q", "-c", "5", "-i", "0.1", "-W", "1", "-I", FOREIGN, INTERNET]
            )
        site.customer.run(["ping", "-q", "-c", "1", INTERNET])
    sources = {addresses_of(frame)[0] for frame in recording.frames}

    assert SITE.customer_ip in sources
    assert FOREIGN not in sources
    assert dropped_sources(site) >= before + 5


def dropped_sources(site: Site) -> int:
    """Return what the aggregator's packet filter counted."""
    shown = site.lab.host(AGGREGATOR.host).run(["nft", "list", "ruleset"])
    _, _, counter = shown.partition(f"counter source_not_allowed_{site.bond_id} ")
    return int(counter.split("packets", 1)[1].split()[0])


def test_without_any_leg_no_customer_packet_leaves_bare(site: Site, tmp_path: Path) -> None:
    # The far direction alone is dead: what the site sends can still be heard at the ISPs.
    for line in LINES:
        whole, dead = Shape(delay_ms=line.delay_ms), Shape(delay_ms=line.delay_ms, is_cut=True)
        site.lab.topology.relay(line).set_shapes(Shapes(up=whole, down=dead))
    site.wait_for_states({line.number: "down" for line in LINES}, patience=15)

    with (
        recorded(site, "isp1", "access", tmp_path) as first,
        recorded(site, "isp2", "access", tmp_path) as second,
        recorded(site, "isp3", "access", tmp_path) as third,
        pytest.raises(Exception, match="100% packet loss"),
    ):
        site.customer.run(["ping", "-q", "-c", "20", "-i", "0.1", "-W", "1", INTERNET])

    heard = [frame for recording in (first, second, third) for frame in recording.frames]
    assert heard, "the bonder probes its legs all the time"
    for frame in heard:
        source, destination = addresses_of(frame)
        assert source != SITE.customer_ip
        assert destination != INTERNET
