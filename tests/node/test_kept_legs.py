"""What a node does with the leg after a test of a tuning."""

import pytest

from openbond.node.daemon_messages import BeginTest, EndTest
from openbond.wire.states import NodeKind, ShownState

from .test_speed_tests import LEG, Ends, go, needs_iperf, order


@needs_iperf
def test_after_a_test_of_a_tuning_both_ends_keep_the_leg_for_the_next_one() -> None:
    ends = Ends(order(length_seconds=1, keeps_leg_ms=10_000))

    bonder, aggregator = go(ends.both)

    assert (bonder.error, aggregator.error) == ("", "")
    for tunnel in ends.tunnels.values():
        kept = tunnel.requests[-1]
        assert isinstance(kept, BeginTest)
        assert (kept.leg_id, kept.within_ms, kept.limit_kbps) == (LEG, 10_000, None)


@needs_iperf
@pytest.mark.parametrize("kind", NodeKind)
def test_after_one_that_failed_the_leg_is_given_back_at_once(kind: NodeKind) -> None:
    ends = Ends(order(keeps_leg_ms=10_000))
    ends.tunnels[kind].state = ShownState.DOWN

    outcome = go(lambda: ends.end(kind))

    assert outcome.error == f"Leg {LEG} went down."
    assert isinstance(ends.tunnels[kind].requests[-1], EndTest)
