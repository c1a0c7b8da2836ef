"""The list of certificates that are void before their time, made anew once a day or on change."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, QuerySet

from .authority import Authority, Revocation
from .models import EndReason, Enrolment

RENEWED_AFTER = timedelta(days=1)

Mark = tuple[int, datetime | None]


@dataclass(slots=True)
class RevocationList:
    """The CRL as PEM, kept while no certificate was revoked since; it is asked for all the time."""

    authority: Authority
    _pem: str = ""
    _made: datetime | None = None
    _mark: Mark = (0, None)

    def pem(self, *, now: datetime) -> str:
        mark = _mark()
        if self._made is None or mark != self._mark or now - self._made >= RENEWED_AFTER:
            self._pem = self.authority.revocation_list(revocations(), now=now)
            self._made, self._mark = now, mark
        return self._pem


def revocations() -> list[Revocation]:
    """Return what is revoked, oldest first."""
    rows = _void().order_by("id").values_list("serial", "ended")
    return [Revocation(int(serial, 16), ended) for serial, ended in rows if ended is not None]


def _mark() -> Mark:
    found = _void().aggregate(count=Count("id"), last=Max("ended"))
    return found["count"], found["last"]


def _void() -> QuerySet[Enrolment]:
    return Enrolment.objects.filter(ended__isnull=False).exclude(end_reason=EndReason.EXPIRED)
