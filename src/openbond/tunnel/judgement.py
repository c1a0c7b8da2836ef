"""What loss, latency and drops of a leg amount to, as signals of the leg's machine (3.4, 3.5)."""

from .flaps import FlapCounter
from .latency import Baseline, LatencyJudge
from .leg import Inner, Signal, Trouble
from .loss import LossJudge
from .settings import BondSettings


class Judgement:
    """Fed by echoes and drops; `signals` says what they mean for a leg in a given state."""

    def __init__(self, bond: BondSettings) -> None:
        self.loss = LossJudge(bond.packet_loss_threshold)
        self.flaps = FlapCounter(bond.flap_threshold, bond.flap_window)
        self.baseline = Baseline()
        self._latency = LatencyJudge()

    def reconfigure(self, bond: BondSettings) -> None:
        self.loss.threshold = bond.packet_loss_threshold
        self.flaps.threshold, self.flaps.window = bond.flap_threshold, bond.flap_window

    def on_echo(self, rtt: float, jitter: float, load: float, now: float) -> None:
        """Take the smoothed RTT and jitter; `load` is a share of the configured speed."""
        self.baseline.on_sample(rtt, jitter, load, now)
        least = self.baseline.rtt(now)
        if least is not None:
            self._latency.on_sample(rtt - least, self.baseline.jitter(now), now)

    def restart(self) -> None:
        """Begin anew: the leg was down."""
        self.loss.restart()
        self._latency.restart()

    def signals(self, inner: Inner, trouble: Trouble, now: float) -> list[Signal]:
        """Return the signals that hold now for a leg in this state."""
        if inner is Inner.REMOVED:
            rejoins = self.loss.is_low and not self.flaps.is_held_out(now)
            return [Signal.REJOIN] if rejoins else []
        if inner is not Inner.WORKING:
            return []
        facts = {
            Signal.LOSS_HIGH: self.loss.is_high,
            Signal.LOSS_LOW: Trouble.LOSS in trouble and self.loss.is_low,
            Signal.LATENCY_HIGH: self._latency.is_high(now),
            Signal.LATENCY_LOW: Trouble.LATENCY in trouble and self._latency.is_low(now),
            Signal.HOLD_OUT_OVER: (Trouble.FLAPPING in trouble and not self.flaps.is_held_out(now)),
        }
        return [signal for signal, holds in facts.items() if holds]
