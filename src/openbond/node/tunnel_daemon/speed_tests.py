"""Speed tests between the agent's words and the tunnel's."""

from ipaddress import ip_network

from openbond.node.daemon_messages import BeginTest, DaemonSettings, EndTest, SpeedTestStatus
from openbond.node.errors import NodeError
from openbond.tunnel.bond import Bond
from openbond.tunnel.settings import Distribution
from openbond.tunnel.speed_test import LegSpeeds, TrialPlan, Tried
from openbond.wire.speed_tests import TrialSettings
from openbond.wire.states import NodeKind


def begin_or_end(
    bond: Bond, request: BeginTest | EndTest, settings: DaemonSettings, now: float
) -> None:
    """Begin or end a speed test. Raises NodeError for a leg that is not there."""
    if isinstance(request, EndTest):
        bond.end_test(now)
        return
    lower, upper = ip_network(settings.bond.tunnel_subnet)
    near, far = (lower, upper) if settings.role is NodeKind.BONDER else (upper, lower)
    plan = TrialPlan(
        test_id=request.test_id,
        leg_id=request.leg_id,
        near=near.packed,
        far=far.packed,
        limit_bps=request.limit_kbps and request.limit_kbps * 1000.0,
        until=now + request.within_ms / 1000,
        tried=_tried(request.trial, settings.role) if request.trial else None,
    )
    try:
        bond.begin_test(plan, now)
    except ValueError as missing:
        raise NodeError(f"The speed test cannot begin: {missing}.") from missing


def _tried(trial: TrialSettings, role: NodeKind) -> Tried:
    speeds = {}
    for leg in trial.legs:
        up, down = leg.up_kbps * 1000.0, leg.down_kbps * 1000.0
        is_bonder = role is NodeKind.BONDER
        speeds[leg.leg_id] = LegSpeeds(up, down) if is_bonder else LegSpeeds(down, up)
    return Tried(Distribution(trial.packet_distribution.value), speeds)


def reading_of(bond: Bond, now: float) -> SpeedTestStatus | None:
    """Return what the test that runs has counted."""
    found = bond.test_reading(now)
    if found is None:
        return None
    test_id, reading = found
    return SpeedTestStatus(
        test_id=test_id,
        at_us=round(now * 1e6),
        sent_octets=int(reading.sent_octets),
        sent_datagrams=int(reading.sent_datagrams),
        received_octets=int(reading.received_octets),
        received_datagrams=int(reading.received_datagrams),
        queue_us=round(reading.queue * 1e6),
        rtt_count=int(reading.rtt_count),
        rtt_sum_us=round(reading.rtt_sum * 1e6),
        rtt_square_sum=round(reading.rtt_squares * 1e12),
    )
