"""`openbond lab speed`: measure with progress shown, and put bond and legs side by side."""

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from .layout import LINES
from .life import Lab
from .speed import WARM_UP_S, Speed, SpeedTest, best_of

WAYS = 2


def report_speed(lab: Lab, console: Console, *, seconds: int, leg_seconds: int) -> None:
    """Measure the bond and each leg alone, and print a table. Raises LabError."""
    with _progress(console) as progress, SpeedTest(lab) as test:

        def watched(words: str, length: int) -> "Watch":
            return Watch(progress, words, WAYS * (length + WARM_UP_S))

        legs = {}
        for line in LINES:
            watch = watched(f"leg {line.number} ({line.word})", leg_seconds)
            legs[line.number] = test.leg(line, seconds=leg_seconds, watch=watch)
        bond = test.bond(seconds=seconds, watch=watched("bond", seconds))
    console.print(speed_table(bond, legs))


class Watch:
    """One bar: moves on every second that iperf3 reports, and shows its rate."""

    def __init__(self, progress: Progress, words: str, length: int) -> None:
        self._progress = progress
        self._bar = progress.add_task(words, total=length, rate="")

    def __call__(self, mbps: float) -> None:
        self._progress.update(self._bar, advance=1, rate=f"{mbps:.1f} Mbit/s")


def speed_table(bond: Speed, legs: dict[int, Speed]) -> Table:
    """Return bond and legs side by side, with the bond's ratio to the best leg and to the sum."""
    table = Table(title="one TCP flow, Mbit/s of payload", title_justify="left")
    table.add_column("")
    for heading in ("down", "up"):
        table.add_column(heading, justify="right")
    for line in LINES:
        speed = legs[line.number]
        table.add_row(f"leg {line.number} {line.word}", f"{speed.down:.1f}", f"{speed.up:.1f}")
    best = best_of(legs)
    total = sum(line.mbps for line in LINES)
    table.add_section()
    table.add_row("[bold]bond[/]", f"[bold]{bond.down:.1f}[/]", f"[bold]{bond.up:.1f}[/]")
    table.add_row("bond : best leg", f"{bond.down / best.down:.2f}", f"{bond.up / best.up:.2f}")
    table.add_row(f"bond : sum ({total:g})", f"{bond.down / total:.2f}", f"{bond.up / total:.2f}")
    return table


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<16}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}"),
        console=console,
    )
