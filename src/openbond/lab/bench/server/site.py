"""Lists of the site with 10,000 bonds: each page against the API's page of the same rows."""

from collections.abc import Callable

from django.conf import settings
from django.test import Client

from openbond.lab.bench.rows import Row, Say
from openbond.server.spaces.models import User

from .asking import Asking, cpu_in_turns, middle, ratio
from .rows_in import LOGIN, fill_bonds

SPACES, EACH = 100, 100
ROUNDS = 9
# The same address on both; the site shows its usual columns of the same rows.
LISTS = {
    "bonds": "bonds/?page=1&page_size=25",
    "the last page of bonds": f"bonds/?page={SPACES * EACH // 25}&page_size=25",
    "bonds, found by a word": "bonds/?search=site-77&page=1&page_size=25",
    "bonds, by name": "bonds/?ordering=name&page=1&page_size=25",
    "bonders": "bonders/?page=1&page_size=25",
    "spaces": "spaces/?page=1&page_size=25",
}


def fill(say: Say) -> None:
    say(f"site: {SPACES * EACH:,} bonds")
    fill_bonds([SPACES], EACH)


def measure(say: Say) -> list[Row]:
    client = Asking()
    client.cookie = _session()
    return [_row(client, name, address, say) for name, address in LISTS.items()]


def _row(client: Asking, name: str, address: str, say: Say) -> Row:
    bytes_sent = len(client.get(f"/{address}"))  # templates are read once
    client.get(address)
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "site": (lambda: client.get(f"/{address}"), 3),
        "api": (lambda: client.get(address), 3),
    }
    turns = cpu_in_turns(ways, rounds=ROUNDS, say=say, what=f"list of {name}")
    site, api = (middle(turns, way) for way in ways)
    return Row(
        name=f"list of {name}, CPU",
        value=ratio(turns, ["site"], ["api"]),
        unit="x the API's page",
        most=3.0,
        detail=f"{site:.1f} against {api:.1f} ms; {bytes_sent:,} bytes",
    )


def _session() -> str:
    """Sign in, and return the cookie of the session."""
    client = Client()
    client.force_login(User.objects.get(email=LOGIN), backend=settings.AUTHENTICATION_BACKENDS[0])
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={client.cookies[name].value}"
