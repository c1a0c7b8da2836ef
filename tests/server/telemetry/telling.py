"""A bonder and an aggregator that tell what they measured, at times that a test chooses."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from openbond.server.telemetry.rules.series import Told
from openbond.server.telemetry.selectors.carried import Carried
from openbond.server.telemetry.services.taking_in import Brought, take_in
from openbond.wire.metrics import BondMetrics, Column, LegMetrics
from openbond.wire.reports import Metrics

NOON_MS = 1_795_608_000_000  # a Wednesday, 12:00:00 UTC
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
BONDER, AGGREGATOR, BOND = 5, 9, 7
LEGS = (21, 22)


@dataclass
class Teller:
    """One node with one bond. `number` is that of its next report."""

    node_id: int = BONDER
    told: Told = Told.BOND_BY_BONDER
    bond_id: int = BOND
    leg_ids: Sequence[int] = LEGS
    teller: int = 1
    number: int = 1
    sent: list[Metrics] = field(default_factory=list)

    def measure(
        self,
        times_ms: Sequence[int],
        *,
        node: dict[str, Column] | None = None,
        bond: dict[str, Column] | None = None,
        legs: dict[int, dict[str, Column]] | None = None,
    ) -> Metrics:
        """Return the next report."""
        parts = [
            LegMetrics(leg_id=leg_id, series=series) for leg_id, series in (legs or {}).items()
        ]
        report = Metrics(
            number=self.number,
            at_ms=max(times_ms, default=0),
            interval_ms=10 * SECOND_MS,
            times_ms=list(times_ms),
            node=node or {},
            bonds=[BondMetrics(bond_id=self.bond_id, series=bond or {}, legs=parts)],
        )
        self.number += 1
        return report

    def tell(self, *reports: Metrics, now_ms: int, sent_at_ms: int | None = None) -> None:
        """Hand reports over; `sent_at_ms` is what the node's clock says then."""
        self.sent.extend(reports)
        sent = now_ms if sent_at_ms is None else sent_at_ms
        take_in([self.brought(*reports, sent_at_ms=sent)], now_ms=now_ms)

    def brought(self, *reports: Metrics, sent_at_ms: int) -> Brought:
        return Brought(
            node_id=self.node_id,
            teller=self.teller,
            reports=reports,
            carried={self.bond_id: Carried(self.told, set(self.leg_ids))},
            sent_at_ms=sent_at_ms,
        )

    def tell_minute(self, begin_ms: int, value: int, *, now_ms: int | None = None) -> None:
        """Tell six samples of a minute whose every series is `value`."""
        times = [begin_ms + 5 * SECOND_MS + 10 * SECOND_MS * number for number in range(6)]
        self.tell(
            self.measure(
                times,
                node={"cpu": [value]},
                bond={"up": [value], "down": [value] * 6, "held": [value]},
                legs={leg: {"down": [value], "loss_down": [value]} for leg in self.leg_ids},
            ),
            now_ms=begin_ms + MINUTE_MS if now_ms is None else now_ms,
        )


def far_end() -> Teller:
    return Teller(node_id=AGGREGATOR, told=Told.BOND_BY_AGGREGATOR, teller=2)
