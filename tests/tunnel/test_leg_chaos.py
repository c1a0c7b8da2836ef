"""Three legs, and whatever can happen to them, in random order: all come back by themselves."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from openbond.tunnel.settings import BondSettings, Security
from tests.tunnel.pair import AGGREGATOR, BONDER, Line, Pair, bond, leg

BOTH = (BONDER, AGGREGATOR)
LEGS = (1, 2, 3)
STEPS = 20


class Chaos:
    """Draws what happens next from a seed; `story` says what happened, for who reads a failure."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.story: list[str] = []
        self.starts = 1
        legs = (leg(1), leg(2), leg(3, failover=self.chance.random() < 0.3))
        near = self._settings(bond(BONDER, *legs))
        far = self._settings(bond(AGGREGATOR, *legs))
        lines = {number: self._line() for number in LEGS}
        self.pair = Pair(*legs, seed=seed, bonder=near, aggregator=far, lines=lines)

    def step(self) -> None:
        number = self.chance.choice(LEGS)
        deed = self.chance.choice(DEEDS)
        self.story.append(f"{self.pair.now - 1000:.3f} {deed.__name__} {number}")
        deed(self, number)
        self.pair.run(4 * self.chance.random())

    def mend_all(self) -> None:
        for line in self.pair.lines.values():
            line.mend()
            line.loss_up = line.loss_down = 0.0
            line.mtu_up = line.mtu_down = 1500

    def _settings(self, settings: BondSettings) -> BondSettings:
        return replace(
            settings,
            security=self.chance.choice(list(Security)),
            handshake_interval=self.chance.choice([5.0, 20.0, 3600.0, 0.0]),
            automatic_ping_timing=self.chance.random() < 0.8,
            packet_loss_detection=self.chance.random() < 0.5,
            flap_detection=self.chance.random() < 0.5,
            bandwidth_adaptation=self.chance.random() < 0.5,
        )

    def _line(self) -> Line:
        delays = [0.002, 0.010, 0.050, 0.300]
        up, down = self.chance.choice(delays), self.chance.choice(delays)
        return Line(delay_up=up, delay_down=down, jitter=self.chance.choice([0.0, 0.005]))

    # -- what can happen to a leg

    def cut(self, number: int) -> None:
        self.pair.lines[number].cut()

    def cut_one_way(self, number: int) -> None:
        way = self.chance.choice(["is_up_cut", "is_down_cut"])
        setattr(self.pair.lines[number], way, True)

    def mend(self, number: int) -> None:
        self.pair.lines[number].mend()

    def lose(self, number: int) -> None:
        line = self.pair.lines[number]
        line.loss_up, line.loss_down = self.chance.random() / 2, self.chance.random() / 2

    def narrow(self, number: int) -> None:
        self.pair.lines[number].mtu_up = self.chance.choice([1500, 1400, 600])

    def delay(self, number: int) -> None:
        self.pair.lines[number].delay_up = self.chance.choice([0.002, 0.050, 0.300])

    def change_port(self, number: int) -> None:
        self.pair.lines[number].bonder_port += 1

    def lose_carrier(self, number: int) -> None:
        self.pair.end(BONDER, number).on_lost(self.pair.now)

    def get_carrier(self, number: int) -> None:
        self.pair.end(BONDER, number).on_ready(None, self.pair.now)

    def restart(self, number: int) -> None:
        self.starts += 1
        self.pair.restart(self.chance.choice(BOTH), self.starts)

    def reconfigure(self, number: int) -> None:
        role = self.chance.choice(BOTH)
        self.pair.reconfigure(role, self._settings(self.pair.settings[role]))

    def send_data(self, number: int) -> None:
        for _ in range(20):
            for role in BOTH:
                for leg_id in self.pair.eligible(role):
                    self.pair.send_data(role, leg_id, 3)
            self.pair.run(0.01)


DEEDS: list[Callable[[Chaos, int], None]] = [
    Chaos.cut,
    Chaos.cut_one_way,
    Chaos.mend,
    Chaos.lose,
    Chaos.narrow,
    Chaos.delay,
    Chaos.change_port,
    Chaos.lose_carrier,
    Chaos.get_carrier,
    Chaos.restart,
    Chaos.reconfigure,
    Chaos.send_data,
]
WORKING = {"up", "failover", "unhealthy", "adjusted", "removed"}


@pytest.mark.parametrize("seed", range(4))
def test_after_any_mishaps_a_bond_carries_data_in_3_s_and_every_leg_works_in_15(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.pair.run(10)
    for _ in range(STEPS):
        chaos.step()
    told = f"seed {seed}: {chaos.story}"

    chaos.mend_all()
    chaos.pair.run(3.0)

    assert all(chaos.pair.eligible(role) for role in BOTH), told
    chaos.pair.run(12.0)
    shown = {state for number in LEGS for state in chaos.pair.shown(number)}
    assert shown <= WORKING, told
    strongest = max(settings.security for settings in chaos.pair.settings.values())
    for role in BOTH:
        for number in LEGS:
            keypair = chaos.pair.end(role, number).keypair
            assert keypair is not None
            assert keypair.security is strongest, told
