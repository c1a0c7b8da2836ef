"""Failover: what the checks of aggregators find, what was moved, failed and came back."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from openbond.server.api.links import API_V3
from openbond.server.fleet.selectors import aggregator_checks_visible_to, why_nothing_moves_now
from openbond.server.system.models import AuditEntry
from openbond.server.system.selectors import current_settings, of_failover
from openbond.server.web.objects.names import Names, site_path
from openbond.server.web.objects.trail import seen_of_audit
from openbond.server.web.page import Page

ON_A_PAGE = 50
NUMBER_DIGITS = 9
MARKED = {"failed": "has failed", "recovered": "answers again"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log: `state` and `words` of what happened to the object at `url`."""

    entry: AuditEntry
    state: str
    words: str
    url: str
    old: str = ""
    new: str = ""
    reason: str = ""


class Failover(Page):
    code = "view_systemstatus"

    def get(self, request: HttpRequest) -> HttpResponse:
        wanted = current_settings()
        checks = aggregator_checks_visible_to(self.narrow)
        entries = of_failover(seen_of_audit(self.narrow))
        count = entries.count()
        number = min(_number(request.GET.get("page", "")), max(1, -(-count // ON_A_PAGE)))
        context = {
            "checks": checks,
            "failed": sum(check.failed for check in checks),
            "held": why_nothing_moves_now(wanted),
            "settings": wanted,
            "events": self._events(entries[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]),
            "number": number,
            "size": ON_A_PAGE,
            "count": count,
        }
        return self.render("web/system/failover.html", context)

    def _events(self, entries: QuerySet[AuditEntry]) -> list[Event]:
        rows = list(entries)
        names = Names(self.viewer)
        for url in _aggregators(rows):
            names.want(url)
        return [_event(row, names) for row in rows]


def _aggregators(rows: Iterable[AuditEntry]) -> Iterable[str]:
    """Yield the addresses of the aggregators that bonds left and came to."""
    for row in rows:
        for change in (row.before, row.after):
            if "current_aggregator" in change:
                yield _address(change)


def _event(row: AuditEntry, names: Names) -> Event:
    kind = "bonds" if row.kind == "bond" else "aggregators"
    url = site_path(f"{API_V3}{kind}/{row.object_id}/")
    if row.kind == "aggregator":
        state = "down" if row.action == "failed" else "up"
        return Event(row, state, MARKED[row.action], url)
    reason = str(row.after.get("reason", ""))
    old, new = (names.of(_address(change)) for change in (row.before, row.after))
    if reason:
        return Event(row, "failover", "moved by failover", url, old, new, reason)
    return Event(row, "up", "moved as planned", url, old, new)


def _address(change: dict[str, object]) -> str:
    return f"{API_V3}aggregators/{change.get('current_aggregator')}/"


def _number(text: str) -> int:
    return max(1, int(text[:NUMBER_DIGITS])) if text.isdecimal() else 1
