"""A DHCP leg gets another address: a new socket, the same session (acceptance 9, behaviour 3.8)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from openbond.lab.layout import LINES
from openbond.lab.waiting import wait_until

from .site import Site

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

LINE = LINES[1]
OTHER_IP = "192.0.2.20"


def serve(site: Site, ip: str) -> None:
    """Let the ISP lend this address and no other from now on."""
    name = f"dhcp-{LINE.isp}"
    leases = site.lab.directory.path / f"{LINE.isp}.leases"
    site.lab.programs.end(name)
    leases.unlink(missing_ok=True)
    words = [
        *("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=access"),
        *("--bind-interfaces", "--pid-file", f"--dhcp-leasefile={leases}", "--no-ping"),
        *(f"--dhcp-range={ip},{ip},1h", f"--dhcp-option=3,{LINE.gateway}"),
        *("--dhcp-authoritative", "--log-dhcp"),
    ]
    site.lab.programs.start(name, site.lab.host(LINE.isp).argv(words))


def renew(site: Site) -> None:
    leg = site.leg(LINE)
    site.api.post(f"/api/v3/bonds/{site.bond_id}/dhcp_legs/{leg.id}/renew/", {}, msgspec.Raw)


@contextmanager
def only_line(site: Site) -> Iterator[None]:
    others = [line for line in LINES if line is not LINE]
    site.cut(*others)
    site.wait_for_states({line.number: "down" for line in others}, patience=20)
    try:
        yield
    finally:
        site.mend(*others)


def has(site: Site, ip: str) -> bool:
    return f" {ip}/" in site.lab.host("bonder").ip("address", "show", "dev", LINE.interface)


class Interval(msgspec.Struct):
    state: str
    start: str


def states_since(site: Site, count: int) -> list[str]:
    """Return the states that the leg's history gained after its first `count` intervals."""
    return [interval.state for interval in history(site)[count:]]


def history(site: Site) -> list[Interval]:
    path = f"/api/v3/bonds/{site.bond_id}/legs/{site.leg(LINE).id}/state_history/"
    raw = site.api.get(path, msgspec.Raw)
    found = msgspec.json.decode(raw)
    rows = found["results"] if isinstance(found, dict) else found
    return [Interval(row["state"], row["start"]) for row in rows]


def test_a_new_address_on_the_only_leg_is_back_within_three_seconds_in_the_same_session(
    site: Site, tmp_path: Path
) -> None:
    try:
        with only_line(site):
            serve(site, OTHER_IP)
            before = len(history(site))
            with site.stream(tmp_path) as streams:
                renew(site)
                wait_until(lambda: has(site, OTHER_IP), what="the new address", patience=15)
                time.sleep(4)
            gained = states_since(site, before)

        assert streams.longest_gap() <= 3.0, (streams.up, streams.down)
        assert "handshaking" not in gained
        wait_until(lambda: site.leg(LINE).ip == OTHER_IP, what="the API shows it", patience=15)
        assert not has(site, LINE.ip)
    finally:
        serve(site, LINE.ip)
        renew(site)
        wait_until(lambda: has(site, LINE.ip), what="the old address", patience=20)
