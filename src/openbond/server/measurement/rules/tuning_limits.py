"""When the tuning of a leg has gone on long enough (behaviour 4.4, 4.5). No database, no clock."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from .limits import Limits
from .tuning import (
    MOST_FAILED,
    TOO_LONG,
    FailureCode,
    Measured,
    Numbers,
    TuningFailed,
    Wanted,
)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the tests of one leg have cost so far. `failed_in_row`: the last tests, if they failed.

    `last_error` is theirs in words.
    """

    time: timedelta
    moved_bytes: int
    failed_in_row: int
    last_error: str


def too_much(spent: Spent) -> TuningFailed | None:
    """Return why no more tests of a leg are run; None: there may be more."""
    if spent.time > TOO_LONG:
        minutes = TOO_LONG // timedelta(minutes=1)
        return TuningFailed(FailureCode.TOO_LONG, f"The tests took more than {minutes} min in all.")
    if spent.failed_in_row >= MOST_FAILED:
        return TuningFailed(
            FailureCode.TEST_FAILED,
            f"{MOST_FAILED} tests in a row failed, the last one so: {spent.last_error}",
        )
    return None


def too_many_bytes(
    wanted: Wanted,
    *,
    done: Iterable[Measured],
    moved_bytes: int,
    is_mobile: bool,
    limits: Limits,
) -> TuningFailed | None:
    """Return why a test is not run, as it would bring the leg over its cap; None: it may run.

    Its bytes are known beforehand from its limit, or from the best speed of what was `done`.
    """
    cap = limits.most_bytes_of_tuner(is_mobile=is_mobile)
    of_one = limits.most_bytes_of_test(is_mobile=is_mobile)
    best = max((one.throughput_kbps for one in done), default=0.0)
    kbps = wanted.rate_limit_kbps or best
    expected = min(int(kbps * 1000 / 8 * wanted.seconds), of_one)
    if moved_bytes + expected <= cap:
        return None
    return TuningFailed(
        FailureCode.BYTES,
        f"The tests moved {moved_bytes / 1e9:.1f} GB, and the next one would bring them over "
        f"the {cap / 1e9:g} GB that the tuning of a leg may take.",
    )


def waited_too_long(
    waited: timedelta,
    *,
    was_tested: bool,
    in_bond: bool,
    state: str,
    numbers: Numbers,
    limits: Limits,
) -> TuningFailed | None:
    """Return why a leg that cannot be tested is no longer waited for; None: it still is."""
    lost_after = timedelta(seconds=numbers.lost_seconds)
    minutes = limits.wait_in_bond_minutes if in_bond else limits.wait_minutes
    patience = lost_after if was_tested else timedelta(minutes=minutes)
    if waited <= patience:
        return None
    if was_tested:
        words = f"The leg was lost for more than {numbers.lost_seconds} s; it is {state}."
        return TuningFailed(FailureCode.LEG_LOST, words)
    return TuningFailed(
        FailureCode.LEG_UNAVAILABLE,
        f"The leg could not be tested for {_in_words(patience)}; it is {state}.",
    )


def _in_words(span: timedelta) -> str:
    hours, minutes = divmod(span // timedelta(minutes=1), 60)
    return f"{hours} h" if not minutes else f"{minutes + 60 * hours} min"
