"""When each aggregator is checked next, and how many checks it missed: no I/O, no clock.

What is remembered here dies with the process: after a start, misses begin at 0 (behaviour 6.1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from openbond.server.fleet.selectors import Watched


@dataclass(slots=True)
class Track:
    """`due`: of the check that runs, or ran last. `is_new`: no check counted yet."""

    due: datetime
    misses: int = 0
    bad_since: datetime | None = None
    is_new: bool = True
    is_running: bool = False
    was_begun: bool = False


class Rounds:
    """The aggregators that one process watches."""

    def __init__(self) -> None:
        self._tracks: dict[int, Track] = {}

    def begin_due(self, watched: Iterable[Watched], *, now: datetime) -> list[Watched]:
        """Return the aggregators whose check is due now; each is then running until noted."""
        present = {one.aggregator_id: one for one in watched}
        for gone in self._tracks.keys() - present.keys():
            del self._tracks[gone]
        return [one for one in present.values() if self._begins(one, now)]

    def _begins(self, one: Watched, now: datetime) -> bool:
        track = self._tracks.setdefault(one.aggregator_id, Track(due=now))
        due = track.due + one.interval if track.was_begun else track.due
        if track.is_running or due > now:
            return False
        # One that is a little late must not make all the following late.
        track.due = due if now - due < one.interval else now
        track.is_running = track.was_begun = True
        return True

    def is_decisive(self, one: Watched) -> bool:
        """Report whether one more miss would mean that the aggregator has failed."""
        track = self._tracks.get(one.aggregator_id)
        return one.failed or (
            track is not None and not track.is_new and track.misses + 1 >= one.retries
        )

    def misses_of(self, one: Watched) -> int:
        track = self._tracks.get(one.aggregator_id)
        return track.misses if track else 0

    def bad_since(self, one: Watched, *, now: datetime) -> datetime:
        """Return when the first of the misses in a row began."""
        track = self._tracks.get(one.aggregator_id)
        return track.bad_since if track and track.bad_since else now

    def counts(self, one: Watched, *, answered: bool) -> bool:
        """Report whether a result counts: a miss right after the start of the server does not."""
        track = self._tracks.get(one.aggregator_id)
        return track is not None and (answered or not track.is_new)

    def note(self, one: Watched, *, answered: bool, misses: int) -> None:
        """Take in a check that counted, and how many misses in a row there are now."""
        track = self._tracks.get(one.aggregator_id)
        if track is None:
            return
        track.is_running, track.is_new = False, False
        track.misses = misses
        if answered:
            track.bad_since = None
        elif track.bad_since is None:
            track.bad_since = track.due

    def void(self, one: Watched) -> None:
        """Forget a check that says nothing; the next one counts."""
        track = self._tracks.get(one.aggregator_id)
        if track is not None:
            track.is_running, track.is_new = False, False
