"""`openbond node status` in words. Pure."""

from collections.abc import Iterator

from openbond.wire.reports import LegFacts

from .agent.door import StatusAnswer


def status_lines(answer: StatusAnswer, *, now_ms: int) -> Iterator[str]:
    """Yield the lines to print."""
    yield f"node      {answer.node_id} {answer.name}".rstrip()
    revision = str(answer.revision or "none yet")
    yield f"revision  {revision}" + (f" (trying {answer.trying})" if answer.trying else "")
    yield f"server    {answer.server}, {_contact(answer.last_contact_ms, now_ms)}"
    if answer.reports_waiting:
        yield f"reports   {answer.reports_waiting} wait for the server"
    for leg in answer.legs:
        yield _leg(leg)
    for problem in answer.warnings:
        yield f"warning   {problem.about}: {problem.text}"
    for problem in answer.failures:
        yield f"failure   {problem.about}: {problem.text}"
    if answer.last_error:
        yield f"error     {answer.last_error}"


def _contact(at_ms: int | None, now_ms: int) -> str:
    if at_ms is None:
        return "no answer yet"
    return f"last answer {max(0, (now_ms - at_ms) // 1000)} s ago"


def _leg(leg: LegFacts) -> str:
    words = [f"leg {leg.leg_id:<5} {leg.state:<12} {leg.ip or 'no address':<16}"]
    if leg.rtt_us is not None:
        words.append(f"rtt {leg.rtt_us / 1000:.1f} ms")
    if leg.spill_reason:
        words.append(leg.spill_reason)
    return " ".join(words).rstrip()
