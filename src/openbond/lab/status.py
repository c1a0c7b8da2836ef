"""The table of `openbond lab status`: each leg as the API shows it, and its line as it is now."""

import time
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from .api import ApiClient, BondView, LegView
from .errors import LabError
from .layout import LINES, AccessLine
from .life import Lab
from .line import Shape
from .relay import RelayStatus

GOOD = {"up", "failover", "idle", "adjusted"}
BAD = {"down", "removed", "offline"}


@dataclass(frozen=True, slots=True)
class LineNow:
    """What a line does now; rates in Mbit/s, None: no limit."""

    rates: tuple[float | None, float | None]
    relay: RelayStatus
    at: float


@dataclass(frozen=True, slots=True)
class Row:
    line: AccessLine
    leg: LegView | None
    now: LineNow
    before: LineNow | None


class StatusView:
    """Asks server and relays again and again; keeps the last answers to compute rates."""

    def __init__(self, lab: Lab, api: ApiClient) -> None:
        self._lab = lab
        self._api = api
        self._before: dict[int, LineNow] = {}

    def table(self) -> Table:
        """Return the table of this moment. Raises LabError when a relay is gone."""
        bond, trouble = self._bond()
        by_interface = {leg.interface: leg for leg in bond.leg_list} if bond else {}
        rows = [self._row(line, by_interface.get(line.interface)) for line in LINES]
        return status_table(bond, rows, trouble)

    def _bond(self) -> tuple[BondView | None, str]:
        try:
            return self._api.bond(self._lab.record.bond_id), ""
        except LabError as trouble:
            return None, str(trouble)

    def _row(self, line: AccessLine, leg: LegView | None) -> Row:
        relay = self._lab.topology.relay(line).status()
        now = LineNow(self._lab.topology.rates(line), relay, time.monotonic())
        before = self._before.get(line.number)
        self._before[line.number] = now
        return Row(line, leg, now, before)


def status_table(bond: BondView | None, rows: list[Row], trouble: str = "") -> Table:
    """Return the table for a bond and its lines; `trouble` says why the server does not answer."""
    title = f"bond {bond.id} {bond.name}: {bond.status}" if bond else f"no server: {trouble}"
    table = Table(title=title, title_justify="left")
    for heading in ("leg", "line", "address", "state", "bonder / aggregator", "mode"):
        table.add_column(heading)
    for heading in ("Mbit/s down", "Mbit/s up", "line is", "delay", "loss"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> list[Text | str]:
    leg = row.leg
    down, up = _mbps(row)
    return [
        str(leg.id) if leg else "-",
        f"{row.line.number} {row.line.word} ({row.line.interface})",
        (leg.ip or "-") if leg else "-",
        _coloured(leg.state if leg else "unknown"),
        f"{leg.bonder_state} / {leg.aggregator_state}" if leg else "-",
        leg.link_mode if leg else "-",
        down,
        up,
        _line_words(row.now),
        _delay_words(row.now.relay),
        _loss_words(row.now.relay),
    ]


def _mbps(row: Row) -> tuple[str, str]:
    if row.before is None:
        return "-", "-"
    seconds = max(row.now.at - row.before.at, 0.001)
    ways = (
        (row.now.relay.down, row.before.relay.down),
        (row.now.relay.up, row.before.relay.up),
    )
    down, up = (
        f"{(now.passed_bytes - then.passed_bytes) * 8 / seconds / 1e6:.1f}" for now, then in ways
    )
    return down, up


def _line_words(now: LineNow) -> str:
    ways = {"down": now.relay.shapes.down, "up": now.relay.shapes.up}
    cut = [name for name, shape in ways.items() if shape.is_cut]
    if cut:
        return "CUT" if len(cut) == 2 else f"CUT {cut[0]}"
    rates = " / ".join("any" if rate is None else f"{rate:g}" for rate in now.rates)
    mtu = min((shape.mtu for shape in ways.values() if shape.mtu), default=0)
    return f"{rates} Mbit/s" + (f", MTU {mtu}" if mtu else "")


def _delay_words(relay: RelayStatus) -> str:
    return _both(_delay_of(relay.shapes.down), _delay_of(relay.shapes.up)) + " ms"


def _loss_words(relay: RelayStatus) -> str:
    down, up = relay.shapes.down.loss_percent, relay.shapes.up.loss_percent
    return _both(f"{down:g}", f"{up:g}") + " %"


def _delay_of(shape: Shape) -> str:
    jitter = f" ±{shape.jitter_ms:g}" if shape.jitter_ms else ""
    return f"{shape.delay_ms:g}{jitter}"


def _both(down: str, up: str) -> str:
    return down if down == up else f"{down} / {up}"


def _coloured(state: str) -> Text:
    colour = "green" if state in GOOD else "red" if state in BAD else "yellow"
    return Text(state, style=colour)
