"""The checks of aggregators in virtual time: who answers is what the test says."""

from collections.abc import Callable
from datetime import datetime, timedelta

from openbond.server.bonds.services import Check, evaluate_moves, take_check
from openbond.server.control.check_rounds import Rounds
from openbond.server.fleet.models import Aggregator
from openbond.server.fleet.selectors import Watched, watched_aggregators
from openbond.server.fleet.services import hold_lease
from openbond.server.system.selectors import current_settings

STEP = timedelta(seconds=10)
EVALUATED_EVERY = timedelta(seconds=20)  # 5 s in service, 30 s at most (behaviour 6.2)
SILENCE = "No answer within 5 s."


class Patrol:
    """One server process that checks; `dead` holds the ids of aggregators that do not answer."""

    def __init__(self, now: datetime, *, holder: str = "one") -> None:
        self.now = now
        self.dead: set[int] = set()
        self.hosts_fault = ""
        self.holder = holder
        self.step = STEP
        self._rounds = Rounds()
        self._evaluated = now
        self.checked: list[tuple[datetime, int]] = []

    def kill(self, *aggregators: Aggregator) -> None:
        self.dead |= {aggregator.pk for aggregator in aggregators}

    def revive(self, *aggregators: Aggregator) -> None:
        self.dead -= {aggregator.pk for aggregator in aggregators}

    def restart(self) -> None:
        """End the process; another one begins where the database is."""
        self._rounds = Rounds()

    def go_on(self, span: timedelta, *, meanwhile: Callable[[], None] = lambda: None) -> None:
        until = self.now + span
        while self.now < until:
            self.now += self.step
            meanwhile()
            self._turn()

    def _turn(self) -> None:
        if not hold_lease(holder=self.holder, now=self.now):
            self._rounds = Rounds()
            return
        watched = watched_aggregators(current_settings())
        for one in self._rounds.begin_due(watched, now=self.now):
            self._check(one)
        if self.now - self._evaluated >= EVALUATED_EVERY:
            self._evaluated = self.now
            evaluate_moves(holder=self.holder, hosts_fault=self.hosts_fault, now=self.now)

    def _check(self, one: Watched) -> None:
        self.checked.append((self.now, one.aggregator_id))
        fault = SILENCE if one.aggregator_id in self.dead else ""
        if not self._rounds.counts(one, answered=not fault):
            self._rounds.void(one)
            return
        mark = take_check(
            holder=self.holder,
            watched=one,
            check=Check(fault, self._rounds.bad_since(one, now=self.now)),
            misses=self._rounds.misses_of(one),
            hosts_fault=self.hosts_fault,
            now=self.now,
        )
        if mark is None:
            self._rounds.void(one)
        else:
            self._rounds.note(one, answered=not fault, misses=mark.misses)
