"""10,000 spaces and 200,000 bonds: statistics of a space, and a page of its subtree."""

from statistics import median

from openbond.lab.bench.rows import Row, Say
from openbond.server.api.v3.statistics import STATISTICS
from openbond.server.spaces.models import Group, Space
from openbond.server.spaces.services import create_user
from openbond.server.system.actors import SERVER

from .asking import Asking, fetch, kept, raw
from .rows_in import FIRST, PASSWORD, fill_bonds

# Sizes of the subtrees below the root; the root has all of them.
SHAPE = (7000, 2000, 500, 499)
EACH = 20
TIMES = 5
MOST_MS = 10.0


def fill(say: Say) -> None:
    say(f"tree: {sum(SHAPE) + 1:,} spaces, {sum(SHAPE) * EACH:,} bonds")
    fill_bonds(SHAPE, EACH)
    everything = Group.objects.get(is_builtin=True)
    for space in _tops():
        login = f"{space.pk}@example.net"
        create_user(by=SERVER, email=login, password=PASSWORD, space=space, groups=[everything])


def measure(say: Say) -> list[Row]:
    client = Asking()
    rows = []
    for name in STATISTICS:
        say(f"statistics of {name}")
        spent = {
            size: _database_ms(client, f"spaces/{space.pk}/statistics/{name}/")
            for size, space in _subtrees()
        }
        rows.append(_row(f"statistics of {name}", spent))
    say("a page of a subtree")
    pages = {
        size: _database_ms(Asking(f"{space.pk}@example.net"), "bonds/?page_size=25")
        for size, space in _subtrees()[1:]
    }
    return [*rows, _row("page of 25 bonds of a subtree", pages)]


def _row(name: str, spent: dict[int, float]) -> Row:
    detail = ", ".join(f"{ms:.1f} of {size:,} spaces" for size, ms in spent.items())
    return Row(
        name=name, value=max(spent.values()), unit="ms in the database", most=MOST_MS, detail=detail
    )


def _subtrees() -> list[tuple[int, Space]]:
    root = Space.objects.get(parent__isnull=True)
    return [(sum(SHAPE) + 1, root), *zip(SHAPE, _tops(), strict=True)]


def _tops() -> list[Space]:
    return list(Space.objects.filter(level=1, pk__gte=FIRST).order_by("pk"))


def _database_ms(client: Asking, address: str) -> float:
    """Return what a GET takes of the database: its statements run again by the bare driver."""
    client.get(address)
    with kept() as ran:
        client.get(address)
    statements = raw(ran)
    return median(fetch(statements) for _ in range(TIMES)) * 1000
