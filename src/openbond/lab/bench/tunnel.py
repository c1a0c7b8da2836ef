"""The measurements of the tunnel: each returns rows of a table, value, bar and verdict.

Figures of this machine mean little, ratios taken in one run mean much: what is compared runs in
turns, a few seconds each, and the median counts.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeVar

from .lines import LineShape
from .matrix import SETTLE, Matrix
from .pair import Pair
from .ping import ping_under_load
from .profiles import Profile
from .rows import Row, Say
from .traffic import (
    gaps_when_cut,
    iperf_server,
    lost_while_rekeying,
    small_packets,
    tcp_mbps,
)

UNLIMITED = (LineShape(), LineShape())
UNEQUAL = (
    LineShape(mbps=20, delay_ms=30),
    LineShape(mbps=50, delay_ms=15),
    LineShape(mbps=100, delay_ms=5),
)
LOSSY = (UNEQUAL[0], replace(UNEQUAL[1], loss_percent=1), UNEQUAL[2])
BEST_LEG = 3
REKEY_EVERY = 5.0  # seconds
# A full packet of the customer and its TCP payload, within an outer packet of 1,500 bytes: at most
# 0.957 of the sum is the customer's IP packets, and 0.923 TCP payload.
INNER_PACKET, INNER_PAYLOAD = 1436, 1384
CLEAN_LEAST, LOSSY_LEAST = 0.93, 0.85

Measured = TypeVar("Measured")


class Bench:
    """Makes the measurements in a directory of its own. `say` is told what is being done."""

    def __init__(self, directory: Path, *, say: Say, rounds: int = 3, seconds: float = 4.0) -> None:
        self._directory = directory
        self._say = say
        self._rounds = rounds
        self._seconds = seconds

    def against_plain(self) -> list[Row]:
        """One TCP flow, and small packets, over unlimited legs, against the naive way: no
        offloads, one packet a read, one packet a datagram.
        """
        with (
            self._pair("fast", UNLIMITED) as fast,
            self._pair("plain", UNLIMITED, "--plain") as plain,
        ):
            return [
                self._tcp(fast, plain, is_down=False),
                self._tcp(fast, plain, is_down=True),
                *self._small("64-byte packets, up", fast, plain, 2.5),
            ]

    def against_bundles(self) -> list[Row]:
        """Small packets against a plain path that lets them share datagrams all the same."""
        with (
            self._pair("fast", UNLIMITED) as fast,
            self._pair("shared", UNLIMITED, "--plain", "--bundle") as shared,
        ):
            return self._small("64-byte packets, bundles on both", fast, shared, None)

    def share_of_sum(self) -> list[Row]:
        """TCP over 20 + 50 + 100 Mbit/s with unequal delays: its share of the sum, without loss
        and with 1 % on one leg.
        """
        rows = []
        for name, lines, least, flows in (
            ("", UNEQUAL, CLEAN_LEAST, (1,)),
            (", 1 % loss on 50", LOSSY, LOSSY_LEAST, (1, 8)),
        ):
            with self._pair("lossy" if name else "sum", lines) as pair:
                if name:
                    self._say("the legs are observed for a while")
                    time.sleep(SETTLE)
                for is_down, count in ((way, count) for way in (False, True) for count in flows):
                    rows.append(self._share(pair, name, least, is_down=is_down, flows=count))
        return rows

    def _share(self, pair: Pair, name: str, least: float, *, is_down: bool, flows: int) -> Row:
        total = sum(line.mbps or 0.0 for line in UNEQUAL)
        words = "one TCP flow" if flows == 1 else f"{flows} TCP flows"
        title = f"20+50+100 Mbit/s, 30/15/5 ms{name}, {words} {'down' if is_down else 'up'}"
        self._say(title)
        # Delays of 30 ms and more: a flow needs seconds to grow to the sum, and eight that begin
        # together drop together and grow anew, so they have what behaviour 7.3 gives them.
        seconds = 10 if flows == 1 else 30
        reached = tcp_mbps(pair, is_down=is_down, seconds=seconds, warm_up=4, flows=flows)
        packets = reached * INNER_PACKET / INNER_PAYLOAD
        return Row(
            name=title,
            value=packets / total,
            unit="of the sum as IP packets",
            least=least,
            detail=f"{reached / total:.3f} as payload: {reached:.1f} of {total:.0f} Mbit/s",
            figures={"payload_mbps": reached, "sum_mbps": total},
        )

    def profile(self, profile: Profile) -> Iterator[Row]:
        """One shape of behaviour 7.3, both ways, one flow and eight."""
        with self._pair(f"p{profile.number}", profile.lines, adapts=profile.adapts) as pair:
            matrix = Matrix(
                pair, profile, say=self._say, rounds=self._rounds, seconds=self._seconds
            )
            yield from matrix.rows()

    def ping_under_load(self) -> list[Row]:
        """One TCP flow fills the unequal legs: what it adds to a ping, and what it reaches."""
        total = sum(line.mbps or 0.0 for line in UNEQUAL)
        rows = []
        with self._pair("ping", UNEQUAL) as pair:
            for is_down in (False, True):
                way = "down" if is_down else "up"
                self._say(f"ping under one TCP flow {way}")
                found = ping_under_load(pair, self._directory, is_down=is_down)
                added, share = f"ping under load, {way}", f"throughput meanwhile, {way}"
                rows += [
                    Row(name=added, value=found.added, unit="ms", most=20, detail=found.words),
                    Row(
                        name=share,
                        value=found.mbps / total,
                        unit="of the sum",
                        least=0.90,
                        detail=f"{found.mbps:.1f} of {total:.0f} Mbit/s",
                    ),
                ]
        return rows

    def cut_leg(self) -> list[Row]:
        """The best leg is cut under load: longest silence of UDP and TCP."""
        found = []
        with self._pair("cut", UNEQUAL) as pair:
            for turn in range(self._rounds):
                self._say(f"the best leg is cut under load, {turn + 1} of {self._rounds}")
                found.append(gaps_when_cut(pair, BEST_LEG, self._directory))
                pair.wait_until_in_use()
        tcp = "survived" if all(gaps.tcp_survived for gaps in found) else "broke"
        silences = [gaps.tcp if gaps.tcp_survived else float("inf") for gaps in found]
        return [
            _gap("UDP gap up", [gaps.udp_up for gaps in found], most=0.150),
            _gap("UDP gap down", [gaps.udp_down for gaps in found], most=0.150),
            _gap(
                "TCP gap", silences, most=0.300, words=f"in steps of 0.1 s; the connection {tcp}; "
            ),
        ]

    def rekeying(self, seconds: float) -> list[Row]:
        """Keys anew on both legs every 5 s, under load: packets of a steady stream that were lost.

        Raises LabError.
        """
        directory = self._directory / "rekey"
        with (
            Pair(
                directory,
                name=f"obb{os.getpid()}-rekey",
                lines=UNLIMITED,
                handshake_interval=REKEY_EVERY,
            ) as pair,
            iperf_server(pair),
        ):
            self._say(f"new keys every {REKEY_EVERY:g} s, for {seconds:g} s")
            found = lost_while_rekeying(pair, seconds=seconds, directory=self._directory)
        return [
            Row(
                name="lost while keys were made anew",
                value=found.missing,
                unit=f"of {found.sent:,} packets",
                most=0,
                detail=f"{found.handshakes} handshakes, {found.load_mbps:.0f} Mbit/s beside",
            )
        ]

    def _small(self, name: str, fast: Pair, plain: Pair, least: float | None) -> list[Row]:
        turns = self._turns(name, fast, plain, lambda pair, s: small_packets(pair, seconds=s))
        rates = [(ours.rate, theirs.rate) for ours, theirs in turns]
        costs = [(ours.per_processor_second, theirs.per_processor_second) for ours, theirs in turns]
        unit = "packets per second of processor"
        return [
            _ratio(name, rates, "packets/s", least),
            _ratio(f"{name}, per processor time of both daemons", costs, unit, None),
        ]

    def _tcp(self, fast: Pair, plain: Pair, *, is_down: bool) -> Row:
        name = f"one TCP flow, {'down' if is_down else 'up'}"
        turns = self._turns(
            name, fast, plain, lambda pair, s: tcp_mbps(pair, is_down=is_down, seconds=s)
        )
        return _ratio(name, turns, "Mbit/s", 3.8)

    def _turns(
        self, name: str, fast: Pair, plain: Pair, measure: Callable[[Pair, float], Measured]
    ) -> list[tuple[Measured, Measured]]:
        """Measure both in turns."""
        turns = []
        for number in range(1, self._rounds + 1):
            self._say(f"{name}: round {number} of {self._rounds}")
            ours = measure(fast, self._seconds)
            turns.append((ours, measure(plain, self._seconds)))
        return turns

    @contextmanager
    def _pair(
        self, name: str, lines: tuple[LineShape, ...], *options: str, adapts: bool = False
    ) -> Iterator[Pair]:
        self._say(f"starting two daemons and {len(lines)} lines ({name})")
        directory = self._directory / name
        namespaces = f"obb{os.getpid()}-{name}"
        with (
            Pair(directory, name=namespaces, lines=lines, options=options, adapts=adapts) as pair,
            iperf_server(pair),
        ):
            yield pair


def _ratio(name: str, turns: list[tuple[float, float]], unit: str, least: float | None) -> Row:
    """Return the row of the median of the ratios."""
    ours, theirs = (median(values) for values in zip(*turns, strict=True))
    return Row(
        name=name,
        value=median(one / other for one, other in turns),
        unit="x plain path",
        least=least,
        detail=f"{ours:,.0f} against {theirs:,.0f} {unit}",
    )


def _gap(name: str, seconds: list[float], *, most: float, words: str = "") -> Row:
    """Return the median of the turns; `words` go before what each turn showed."""
    shown = " / ".join(f"{each:.3f}" for each in seconds)
    return Row(
        name=f"cut leg, {name}",
        value=median(seconds),
        unit="s",
        most=most,
        detail=f"{words}turns: {shown} s",
    )
