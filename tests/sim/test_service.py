"""What is changed in service: keys anew every few seconds, compression switched; no packet lost."""

from dataclasses import replace

import pytest

from openbond.tunnel.settings import BondSettings, LegSettings, Role, Security
from tests.sim.internet import FAR, SITE, Internet, Line, bond_settings, inner
from tests.sim.traffic import numbers, stream, up
from tests.tunnel.inner import plain_read
from tests.tunnel.test_compression import text_packet


def handshakes(internet: Internet, role: Role) -> int:
    return sum(leg.counters["handshakes"] for leg in internet.bonds[role].report().legs)


@pytest.mark.parametrize(
    ("security", "seconds"),
    [(Security.ENCRYPTION, 120.0), (Security.HMAC, 30.0), (Security.NONE, 30.0)],
)
def test_new_keys_every_five_seconds_lose_no_packet(security: Security, seconds: float) -> None:
    def hasty(role: Role, *legs: LegSettings) -> BondSettings:
        return bond_settings(role, *legs, security=security, handshake_interval=5.0)

    internet = up({1: Line(20, 0.030), 2: Line(50, 0.012, jitter=0.004)}, settings=hasty)
    before = handshakes(internet, SITE)
    sent = {role: stream(internet, role, mbps=1.0, seconds=seconds) for role in (SITE, FAR)}

    internet.run(seconds + 1.0)

    # Two legs; intervals are up to 5 % longer, and a handshake takes an RTT.
    assert handshakes(internet, SITE) - before >= 2 * int(seconds / 5.4)
    assert numbers(internet.packets(FAR)) == list(range(sent[SITE]))
    assert numbers(internet.packets(SITE)) == list(range(sent[FAR]))
    for bond in internet.bonds.values():
        report = bond.report()
        counted = {name for leg in report.legs for name, n in leg.counters.items() if n}
        assert not [name for name in counted if name.startswith("dropped_")]


def test_compression_is_switched_in_service_and_no_packet_is_lost() -> None:
    internet = up({1: Line(20, 0.010), 2: Line(20, 0.014)})
    packets = [text_packet(1000, port=n) for n in range(1, 601)]
    began = internet.now
    for n, packet in enumerate(packets):
        internet.send(SITE, plain_read(packet), at=began + n * 0.005)
    carried = []

    for is_on in (False, True, False):
        changed = replace(internet.bonds[SITE].settings, compression=is_on)
        internet.bonds[SITE].reconfigure(changed, internet.now)
        before = internet.carried.copy()
        internet.run(1.0)
        carried.append(sum(internet.carried[SITE, leg] - before[SITE, leg] for leg in (1, 2)))
    internet.run(0.5)

    # The far end's own config says no all the time: it expands always.
    assert [inner(packet) for packet in internet.packets(FAR)] == packets
    assert carried[1] < carried[0] / 2
    assert carried[2] > carried[1] * 2
