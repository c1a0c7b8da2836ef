"""The states of a bond's legs over a day on one time line, and the downtime that it prevented."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import Http404, HttpRequest, HttpResponse

from openbond.server.bonds.models import Leg
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.bonds.selectors import bonds_in_reach, legs_visible_to
from openbond.server.measurement.rules import HISTORY, Interval
from openbond.server.measurement.selectors import downtime_prevented, state_histories
from openbond.server.system.selectors import node_status_timeout
from openbond.server.web.page import Page

CARRYING_VALUES = frozenset(state.value for state in CARRYING)
WIDTH = 1440  # of the drawing, in its own units: a minute each
HOURS_BETWEEN_MARKS = 3
MOST_ROWS = 100  # of the table of one leg


@dataclass(frozen=True, slots=True)
class Stretch:
    """One state, where it is drawn, and from when to when; `end` None while it lasts."""

    state: str
    x: float
    width: float
    start: datetime
    end: datetime | None
    seconds: int


@dataclass(frozen=True, slots=True)
class Track:
    name: str
    url: str
    stretches: list[Stretch]

    @property
    def newest(self) -> list[Stretch]:
        return self.stretches[: -MOST_ROWS - 1 : -1]


class HistoriesPart(Page):
    """Loaded after the page: it reads a day of every leg."""

    code = "view_leg"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        bonds = bonds_in_reach(self.viewer).filter(pk=pk)
        if not bonds.exists():
            raise Http404
        legs = list(legs_visible_to(self.viewer).filter(bond=pk).order_by("id"))
        timeout = timedelta(seconds=node_status_timeout())
        found = state_histories(legs, now=self.now, timeout=timeout)
        week, month = downtime_prevented(bonds, now=self.now)
        context = {
            "tracks": [_of_bond(found, self.now), *(self._track(leg, found) for leg in legs)],
            "marks": list(_marks(self.now)),
            "width": WIDTH,
            "week": week,
            "month": month,
        }
        return self.render("web/bonds/histories.html", context)

    def _track(self, leg: Leg, found: Mapping[int, Sequence[Interval]]) -> Track:
        name = f"{leg.interface or leg.report.interface or leg.type} #{leg.pk}"
        spans = [(one.state.value, one.start, one.end) for one in found[leg.pk]]
        return Track(name, f"/bonds/{leg.bond_id}/legs/{leg.pk}/", _stretches(spans, self.now))


def _of_bond(found: Mapping[int, Sequence[Interval]], now: datetime) -> Track:
    """Return when any leg carried traffic."""
    moves = sorted({one.start for track in found.values() for one in track})
    spans: list[tuple[str, datetime, datetime | None]] = []
    for at in moves:
        state = "up" if any(_carries(track, at) for track in found.values()) else "down"
        if not spans or spans[-1][0] != state:
            if spans:
                spans[-1] = (spans[-1][0], spans[-1][1], at)
            spans.append((state, at, None))
    return Track("Bond", "", _stretches(spans, now))


def _carries(track: Sequence[Interval], at: datetime) -> bool:
    state = next((one.state for one in reversed(track) if one.start <= at), None)
    return state is not None and state.value in CARRYING_VALUES


def _stretches(
    spans: Sequence[tuple[str, datetime, datetime | None]], now: datetime
) -> list[Stretch]:
    begin = now - HISTORY
    found = []
    for state, start, end in spans:
        x = _place(start, begin)
        width = max(_place(end or now, begin) - x, 1.0)  # a second of it is seen, too
        seconds = int(((end or now) - start).total_seconds())
        found.append(Stretch(state, round(x, 2), round(width, 2), start, end, seconds))
    return found


def _place(at: datetime, begin: datetime) -> float:
    return min(max((at - begin) / HISTORY, 0.0), 1.0) * WIDTH


def _marks(now: datetime) -> Iterator[tuple[float, str]]:
    """Yield where the hours lie, and what they are called."""
    at = now.replace(minute=0, second=0, microsecond=0)
    while at > now - HISTORY:
        if at.hour % HOURS_BETWEEN_MARKS == 0:
            yield round(_place(at, now - HISTORY), 2), f"{at:%H:%M}"
        at -= timedelta(hours=1)
