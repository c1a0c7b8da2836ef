"""What a simulated fleet saw: answers, delays and failures, since the last look."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Seen:
    """Counts since `begin`; `lags` are seconds from when a report was due until it was stored."""

    polls: int = 0
    reports: int = 0
    configs: int = 0
    lags: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)
    held: int = 0  # polls that wait for their answer now
    waiting: int = 0  # reports that are due and not yet stored

    def begin(self) -> None:
        """Count anew; what is true now stays."""
        self.polls = self.reports = self.configs = 0
        self.lags.clear()
        self.failures.clear()


def at_share(values: list[float], share: float) -> float:
    """Return the value that `share` of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
