import pytest

from openbond.node.confirm import Condition, Confirmation, Held, Verdict
from openbond.wire.states import RollbackReason

TUNNEL, SERVER = Condition.TUNNEL, Condition.SERVER
BOTH = frozenset({TUNNEL, SERVER})


@pytest.mark.parametrize(
    ("held", "required"),
    [
        pytest.param(Held(), frozenset(), id="nothing held: nothing is asked"),
        pytest.param(Held(tunnel=99.0), {TUNNEL}, id="the tunnel held a second ago"),
        pytest.param(Held(tunnel=40.0, server=100.0), BOTH, id="60 s ago still counts"),
        pytest.param(Held(tunnel=39.9, server=99.0), {SERVER}, id="longer ago does not"),
    ],
)
def test_what_held_before_is_asked_again(held: Held, required: set[Condition]) -> None:
    assert held.required(100.0) == required


@pytest.mark.parametrize(
    ("required", "met", "at", "verdict"),
    [
        pytest.param(BOTH, [], 59.9, Verdict.WAIT, id="nothing yet"),
        pytest.param(BOTH, [TUNNEL], 59.9, Verdict.WAIT, id="one of two"),
        pytest.param(BOTH, [SERVER, TUNNEL], 1.0, Verdict.CONFIRMED, id="both"),
        pytest.param(BOTH, [TUNNEL], 60.0, Verdict.ROLL_BACK, id="too late"),
        pytest.param({TUNNEL}, [TUNNEL], 0.0, Verdict.CONFIRMED, id="only what held before"),
        pytest.param(frozenset(), [], 0.0, Verdict.CONFIRMED, id="nothing held before"),
    ],
)
def test_verdicts(
    required: frozenset[Condition], met: list[Condition], at: float, verdict: Verdict
) -> None:
    confirmation = Confirmation.begin(required=frozenset(required), forced=False, now=0.0)
    for condition in met:
        confirmation = confirmation.met(condition)

    assert confirmation.verdict(at) is verdict


def test_a_forced_config_needs_nothing() -> None:
    confirmation = Confirmation.begin(required=BOTH, forced=True, now=0.0)

    assert confirmation.verdict(0.0) is Verdict.CONFIRMED


@pytest.mark.parametrize(
    ("met", "reason"),
    [
        ([], RollbackReason.TUNNEL_DOWN),
        ([SERVER], RollbackReason.TUNNEL_DOWN),
        ([TUNNEL], RollbackReason.SERVER_UNREACHABLE),
    ],
)
def test_the_reason_names_what_is_missing(met: list[Condition], reason: RollbackReason) -> None:
    confirmation = Confirmation.begin(required=BOTH, forced=False, now=0.0)
    for condition in met:
        confirmation = confirmation.met(condition)

    assert confirmation.reason is reason
