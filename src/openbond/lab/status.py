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
    title = (
        f"bond {bond.id} {bond.name}: {bond.status}   (Mbit/s on the lines now)"
        if bond
        else f"no server: {trouble}"
    )
    table = Table(title=title, title_justify="left")
    for heading in ("leg", "address", "state"):
        table.add_column(heading, no_wrap=True)
    for heading in ("down", "up"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("line")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> list[Text | str]:
    leg = row.leg
    name = f"{row.line.number} {row.line.word} {row.line.interface}"
    return [
        name,
        (leg.ip or "-") if leg else "-",
        _state_words(leg) if leg else Text("unknown", style="yellow"),
        *_mbps(row),
        _line_words(row.now),
    ]


def _state_words(leg: LegView) -> Text:
    """Return the combined state, and what each end says when they differ."""
    colour = "green" if leg.state in GOOD else "red" if leg.state in BAD else "yellow"
    words = Text(leg.state, style=colour)
    if leg.bonder_state != leg.aggregator_state:
        words.append(f" ({leg.bonder_state}/{leg.aggregator_state})", style="dim")
    return words


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
    down, up = (_way_words(ways[name], rate) for name, rate in zip(ways, now.rates, strict=True))
    return down if down == up else f"{down}; up {up}"


def _way_words(shape: Shape, rate: float | None) -> str:
    words = ["any rate" if rate is None else f"{rate:g} Mbit/s", f"{_delay_of(shape)} ms"]
    if shape.loss_percent:
        words.append(f"loss {shape.loss_percent:g} %")
    if shape.mtu:
        words.append(f"MTU {shape.mtu}")
    return ", ".join(words)


def _delay_of(shape: Shape) -> str:
    jitter = f" ±{shape.jitter_ms:g}" if shape.jitter_ms else ""
    return f"{shape.delay_ms:g}{jitter}"
