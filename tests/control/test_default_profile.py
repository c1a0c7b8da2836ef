"""The default QoS profile on a full bond: from its rows to what comes out of the tunnel.

Behaviour 7, items 25 to 27, in virtual time on a simulated internet.
"""

from collections.abc import Callable
from dataclasses import replace
from statistics import mean, quantiles

import pytest

from openbond.node.tunnel_daemon.qos import tunnel_qos
from openbond.server.bonds.models import Bond
from openbond.server.bonds.services import update_qos_profile
from openbond.server.control.publish import content_of
from openbond.server.qos.models import QosProfile
from openbond.server.system.actors import SERVER
from openbond.tunnel.packets import UDP, VNET_SIZE
from openbond.tunnel.settings import BondSettings, LegSettings, Qos, Role
from tests.sim.internet import FAR, OTHER, SITE, Internet, Line, bond_settings
from tests.sim.traffic import Marked, sent_since, up
from tests.tunnel.inner import ipv4, plain_read, udp_header
from tests.world import World

pytestmark = pytest.mark.django_db

EF = 46
# Ports by which the default profile knows the classes; a DSCP makes the first one Real-time.
REAL_TIME, INTERACTIVE, ROUTINE, ALSO_ROUTINE = 6000, 53, 7000, 7001


def default_qos(world: World) -> Qos:
    """Return what the daemons get of the default profile, as it is in the database now."""
    Bond.objects.update(qos_profile=QosProfile.objects.get(is_default=True))
    (profile,) = content_of(world.bonder.pk).qos_profiles
    return tunnel_qos(profile)


def with_qos(qos: Qos) -> Callable[..., BondSettings]:
    def settings(role: Role, *legs: LegSettings) -> BondSettings:
        return replace(bond_settings(role, *legs), qos=qos)

    return settings


def offer(
    internet: Internet, port: int, *, mbps: float, seconds: float, by: Role = SITE, size: int = 1200
) -> None:
    """Offer packets of one UDP flow, whatever becomes of them."""
    packet = bytearray(ipv4(UDP, udp_header(size - 28, port=port) + bytes(size - 28)))
    packet[1] = EF << 2 if port == REAL_TIME else 0
    read = plain_read(bytes(packet))
    number = int(mbps * 1e6 * seconds / 8 / size)
    for n in range(number):
        internet.send(by, read, at=internet.now + n * seconds / number)


def came(internet: Internet, port: int, *, since: float, by: Role = SITE) -> int:
    """Return the octets of a flow that came out at the other end."""
    wanted = port.to_bytes(2, "big")
    packets = (packet[VNET_SIZE:] for packet in internet.packets(OTHER[by], since))
    return sum(len(packet) for packet in packets if packet[20:22] == wanted)


@pytest.mark.parametrize("by", [SITE, FAR], ids=["up", "down"])
def test_in_a_full_bond_every_class_has_its_share_and_an_idle_ones_share_is_lent(
    world: World, by: Role
) -> None:
    internet = up({1: Line(5), 2: Line(5)}, settings=with_qos(default_qos(world)))
    wanting = (REAL_TIME, INTERACTIVE, ROUTINE)
    for port in wanting:
        offer(internet, port, mbps=10, seconds=3.0, by=by)
    internet.run(1.0)
    since = internet.now
    internet.run(2.0)

    octets = {port: came(internet, port, since=since, by=by) for port in wanting}
    whole = sum(octets.values())
    # Bulk wants nothing: 40, 20 and 20 of 80 are left, and nothing is left unused.
    assert octets[REAL_TIME] / whole == pytest.approx(40 / 80, abs=0.04)
    assert octets[INTERACTIVE] / whole == pytest.approx(20 / 80, abs=0.03)
    assert octets[ROUTINE] / whole == pytest.approx(20 / 80, abs=0.03)
    assert whole * 8 / 2.0 >= 0.90 * 9.5e6  # inner octets; the rest is headers


def test_an_ef_flow_within_its_share_is_within_15_ms_of_idle(world: World) -> None:
    internet = up({1: Line(10, 0.010), 2: Line(10, 0.020)}, settings=with_qos(default_qos(world)))
    idle = Marked(internet, SITE, seconds=0.5, every=0.010, dscp=EF)
    internet.run(1.0)
    unloaded = mean(idle.waits(FAR))
    for port in (ROUTINE, ALSO_ROUTINE, INTERACTIVE):
        offer(internet, port, mbps=15, seconds=2.5)
    internet.run(0.5)

    # 4 Mbit/s, where its guarantee is 7.6.
    loaded = Marked(internet, SITE, seconds=1.0, every=0.0024, size=1200, dscp=EF)
    internet.run(1.5)

    waits = loaded.waits(FAR)
    assert len(waits) == len(loaded.sent)
    assert quantiles(waits, n=100)[-1] <= unloaded + 0.015


def test_five_percent_of_10_mbits_are_kept_free_and_another_margin_acts_at_once(
    world: World,
) -> None:
    internet = up({1: Line(10)}, settings=with_qos(default_qos(world)))
    offer(internet, ROUTINE, mbps=14, seconds=5.0)
    internet.run(1.0)

    def mbps() -> float:
        before = internet.carried.copy()
        internet.run(1.5)
        return sent_since(internet, SITE, before, 1) * 8 / 1.5 / 1e6

    assert mbps() == pytest.approx(9.5, rel=0.01)

    profile = QosProfile.objects.get(is_default=True)
    update_qos_profile(by=SERVER, profile=profile, overhead_margin_permille=200)
    changed = replace(internet.bonds[SITE].settings, qos=default_qos(world))
    internet.bonds[SITE].reconfigure(changed, internet.now)

    assert mbps() == pytest.approx(8.0, rel=0.015)


@pytest.mark.parametrize("by", [SITE, FAR], ids=["up", "down"])
def test_a_leg_that_is_lost_or_slowed_shrinks_the_shaper_within_a_second(
    world: World, by: Role
) -> None:
    internet = up({1: Line(3), 2: Line(3)}, settings=with_qos(default_qos(world)))
    idle = Marked(internet, by, seconds=0.4, every=0.010, dscp=EF)
    internet.run(1.0)
    unloaded = mean(idle.waits(OTHER[by]))
    offer(internet, ROUTINE, mbps=8, seconds=5.0, by=by)
    internet.run(0.5)

    internet.lines[2].cut()
    internet.run(1.0)
    assert_shaped(internet, by, unloaded, mbps=2.85)

    first, second = internet.bonds[by].settings.legs
    slowed = replace(first, send_bps=2e6)
    settings = replace(internet.bonds[by].settings, legs=(slowed, second))
    internet.bonds[by].reconfigure(settings, internet.now)
    internet.run(0.5)
    assert_shaped(internet, by, unloaded, mbps=1.9)


def assert_shaped(internet: Internet, by: Role, unloaded: float, *, mbps: float) -> None:
    """What is left is used and not exceeded, and Real-time feels nothing of it."""
    before = internet.carried.copy()
    marked = Marked(internet, by, seconds=1.0, every=0.010, dscp=EF)
    internet.run(1.2)
    assert sent_since(internet, by, before, 1) * 8 / 1.2 / 1e6 == pytest.approx(mbps, rel=0.04)
    assert quantiles(marked.waits(OTHER[by]), n=100)[-1] <= unloaded + 0.015
