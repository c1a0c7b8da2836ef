"""Who tells something, and when it was so on the server's clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from .models import Enrolment

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Teller:
    """The machine that reports, and how far its clock is ahead of the server's.

    `in_row`: its report follows the last one, nothing was lost between. `boot_id`: as it told it
    before this report.
    """

    enrolment: Enrolment
    timeout: timedelta
    clock_ahead: timedelta
    in_row: bool
    boot_id: str

    @property
    def node_id(self) -> int:
        return self.enrolment.node_id


@dataclass(frozen=True, slots=True)
class Arrival(Generic[R_co]):
    """One report with who sent it and when, on the server's clock, it was so."""

    report: R_co
    teller: Teller
    at: datetime
    now: datetime
