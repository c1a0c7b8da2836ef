"""A page of 100 bonds with all that is inside: against raw SQL, and against serializers."""

import json
from typing import Any

import msgspec
from django.core.handlers.wsgi import WSGIRequest
from django.test import RequestFactory

from openbond.lab.bench.rows import Row, Say
from openbond.lab.errors import LabError

from . import plain
from .asking import Asking, cpu_in_turns, fetch, kept, middle, ratio, raw
from .rows_in import fill_bonds

ADDRESS = "bonds/?page_size=100"
ROUNDS = 9


def fill(say: Say) -> None:
    say("page: 1,000 bonds")
    fill_bonds([10], 100)


def measure(say: Say) -> list[Row]:
    client = Asking()
    client.get(ADDRESS)  # statements are written once, and the password is proved once
    with kept() as ran:
        body = client.get(ADDRESS)
    # Not those that find out who asks: raw SQL asks nobody.
    statements = raw([one for one in ran if '"bonds_' in one[0]])
    content = msgspec.json.decode(body)
    request = _request(client)
    _check_same(content, request)
    ways = {
        "ours": (lambda: client.get(ADDRESS), 5),
        "sql": (lambda: fetch(statements), 5),
        "json": (lambda: json.dumps(content, separators=(",", ":")).encode(), 5),
        "msgspec": (lambda: msgspec.json.encode(content), 5),
        "plain": (lambda: _plain(request), 1),
    }
    turns = cpu_in_turns(ways, rounds=ROUNDS, say=say, what="page of 100 bonds")
    ours, sql, encoding, quick, serializers = (middle(turns, name) for name in ways)
    return [
        Row(
            name="page of 100 bonds, CPU",
            value=ratio(turns, ["ours"], ["sql", "json"]),
            unit="x raw SQL + JSON",
            most=3.0,
            detail=f"{ours:.1f} against {sql:.1f} + {encoding:.1f} ms; {len(body):,} bytes",
        ),
        Row(
            name="the same, JSON by msgspec as ours is",
            value=ratio(turns, ["ours"], ["sql", "msgspec"]),
            unit="x raw SQL + msgspec",
            detail=f"{ours:.1f} against {sql:.1f} + {quick:.1f} ms",
        ),
        Row(
            name="the same by plain serializers",
            value=ratio(turns, ["plain"], ["ours"]),
            unit="x ours",
            least=5.0,
            detail=f"{serializers:.0f} against {ours:.1f} ms",
        ),
    ]


def _request(client: Asking) -> WSGIRequest:
    factory = RequestFactory(headers={"Authorization": client.authorization, "Host": "bench"})
    return factory.get("/api/v3/bonds/", {"page_size": 100}, secure=True)


def _plain(request: WSGIRequest) -> bytes:
    body: bytes = plain.view(request).render().content
    return body


def _check_same(ours: Any, request: WSGIRequest) -> None:
    """Raise LabError unless the serializers show what we show."""
    theirs = msgspec.json.decode(_plain(request))
    for mine, other in zip(ours["results"], theirs["results"], strict=True):
        wrong = {name for name in mine if mine[name] != other.get(name)}
        if wrong or list(mine) != list(other):
            raise LabError(f"the two ways differ in {sorted(wrong) or 'their order'}")
