#!/usr/bin/env python3
"""Mutated datagrams against every parser of the tunnel: none is accepted, none raises.

    scripts/fuzz_tunnel.py                      # ten million, some twenty minutes on one core
    scripts/fuzz_tunnel.py --amount 100000 --seed 7

Two ends in service are attacked in rounds: handshake, cookie, probe, echo, hearing and path-MTU
messages, then data of every type. Of what is mutated on the line nothing may be accepted. Of bodies
mutated before they are sealed, which only a peer with the keys can do, nothing may raise. The seed
of each round is printed: give it to --seed to see a failure again.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from openbond.tunnel.join import Joiner  # noqa: E402
from openbond.tunnel.messages import FLAG_COMPRESSED, FLAG_LAST, HEADER, Type  # noqa: E402
from openbond.tunnel.settings import Security  # noqa: E402
from tests.tunnel.ends import PEER  # noqa: E402
from tests.tunnel.inner import (  # noqa: E402
    open_checksum,
    plain_read,
    small_reads,
    small_tcp,
    small_udp,
    super_tcp,
    super_udp,
    tcp_packet,
)
from tests.tunnel.pair import AGGREGATOR, BONDER  # noqa: E402
from tests.tunnel.test_compression import TEXTS  # noqa: E402
from tests.tunnel.test_data_path import Path as DataPath  # noqa: E402
from tests.tunnel.test_mutated_control import ATTACKER, live_pair, mutate, picture  # noqa: E402

ROUND = 50_000
DATA = (Type.PACKET, Type.SEGMENT, Type.BUNDLE, Type.TRAIN)
SEALED = (Security.HMAC, Security.ENCRYPTION)


class Broken(Exception):
    """Something was accepted that must not be."""


def attack_control(chance: Random, amount: int, counts: Counter[str]) -> None:
    """Throw mutated control and handshake messages at both ends of a pair in service."""
    pair, control = live_pair(chance.choice(list(Security)))
    genuine = {datagram for _, datagram in control}
    of_kind: dict[int, list[bytes]] = {}
    for _, datagram in control:
        of_kind.setdefault(datagram[0], []).append(datagram)
    kinds = sorted(of_kind)
    before = [picture(pair.end(role)) for role in (BONDER, AGGREGATOR)]
    for number in range(amount):
        kind = kinds[number % len(kinds)]
        mutated = mutate(chance, chance.choice(of_kind[kind]), chance.choice(control)[1])
        if mutated in genuine:
            continue
        counts[Type(kind).name] += 1
        for role in (BONDER, AGGREGATOR):
            if not pair.end(role).receive_control(mutated, ATTACKER, pair.now):
                raise Broken(f"{role.value} accepted {mutated.hex()}")
    if [picture(pair.end(role)) for role in (BONDER, AGGREGATOR)] != before:
        raise Broken("something changed at an end")


def data_path(security: Security) -> tuple[DataPath, list[bytes]]:
    """Return a path, and datagrams of every type that were not delivered over it."""
    path = DataPath(security)
    small = [plain_read(small_udp(90, port=port)) for port in range(4)]
    reads = [super_tcp(700, 300), plain_read(tcp_packet(700)), open_checksum(900)]
    runs = path.seal(*reads, *small, *small_reads(9), small_tcp(0), super_udp(900, 300))
    runs += path.seal(*small_reads(12))
    path.cutter.set_compression(is_on=True)
    runs += path.seal(*TEXTS)
    datagrams = [datagram for run in runs for datagram in run.datagrams()]
    if {datagram[0] for datagram in datagrams} != set(DATA):
        raise Broken("not every type of data is there")
    return path, datagrams


def attack_data(chance: Random, amount: int, counts: Counter[str]) -> None:
    """Throw mutated data at an end that authenticates it."""
    path, datagrams = data_path(chance.choice(SEALED))
    genuine = set(datagrams)
    of_kind: dict[tuple[int, int], list[bytes]] = {}
    for datagram in datagrams:
        of_kind.setdefault((datagram[0], datagram[1] & FLAG_COMPRESSED), []).append(datagram)
    kinds = sorted(of_kind)
    for number in range(amount):
        original = chance.choice(of_kind[kinds[number % len(kinds)]])
        mutated = mutate(chance, original, chance.choice(datagrams))
        if mutated in genuine or not mutated or mutated[0] not in DATA:
            continue
        is_compressed = original[1] & FLAG_COMPRESSED
        counts["compressed" if is_compressed else Type(original[0]).name] += 1
        path.receive(mutated)
    if path.inbound.datagrams or path.order.take_ready():
        raise Broken(f"{path.inbound.datagrams} mutated datagrams were accepted")


def attack_bodies(chance: Random, amount: int, counts: Counter[str]) -> None:
    """Throw rubbish at what stands behind authentication: mode `none` lets everybody in."""
    path, datagrams = data_path(Security.NONE)
    joiners = [
        Joiner(has_vnet_header=has_vnet, joins_udp=joins_udp)
        for has_vnet, joins_udp in ((True, True), (True, False), (False, False))
    ]
    for number in range(amount):
        original = datagrams[number % len(datagrams)]
        mutated = mutate(chance, original, chance.choice(datagrams))
        kind = mutated[0] if mutated[:1] and mutated[0] in DATA else chance.choice(DATA)
        flags = chance.choice((0, 0, FLAG_LAST, FLAG_COMPRESSED))
        header = HEADER.pack(kind, flags, 22, number + 1)
        counts["bodies"] += 1
        path.inbound.receive(
            header + mutated[HEADER.size :], chance.randrange(40, 1500), PEER, path.now
        )
        path.now += 0.001
        path.order.handle_timer(path.now)
        items = path.order.take_ready()
        for joiner in joiners:
            joiner.writes(items)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--amount", type=int, default=10_000_000, help="mutated inputs in all")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    chosen = parser.parse_args()
    attacks = (attack_control, attack_data, attack_bodies)
    counts: Counter[str] = Counter()
    began, seed = time.monotonic(), chosen.seed
    while (done := counts.total()) < chosen.amount:
        print(f"seed {seed}: {done:,} done in {time.monotonic() - began:,.0f} s", flush=True)
        for attack in attacks:
            attack(Random(seed), min(ROUND, chosen.amount // 3 + 1), counts)  # noqa: S311
        seed += 1
    print(f"{counts.total():,} mutated inputs: none was accepted, none raised.")
    for name, count in sorted(counts.items()):
        print(f"  {name:12} {count:>12,}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as broken:
        sys.exit(f"BROKEN: {broken}")
