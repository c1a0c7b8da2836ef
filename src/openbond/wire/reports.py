"""What a node tells the server. Each report has a number that rises by one per node, for ever.

The server stores a number once: a report sent twice counts once. Times are the node's wall clock in
ms; ReportRequest.sent_at_ms lets the server correct them.
"""

from typing import TypeAlias

from msgspec import Struct

from .metrics import BondMetrics, Columns
from .speed_tests import StoppedBy
from .states import MtuMethod, RefusalReason, RollbackReason, ShownState


class _Report(Struct, frozen=True, kw_only=True):
    number: int
    at_ms: int


class Problem(Struct, frozen=True, kw_only=True):
    """One object's trouble: `about` is e.g. "leg 21", "connected IP 5", "node"."""

    about: str
    text: str


class ConfigApplied(_Report, frozen=True, kw_only=True, tag="config_applied"):
    revision: int
    hash: str
    steps: int
    warnings: list[Problem] = []
    failures: list[Problem] = []


class ConfigRefused(_Report, frozen=True, kw_only=True, tag="config_refused"):
    revision: int
    reason: RefusalReason
    detail: str


class ConfigRolledBack(_Report, frozen=True, kw_only=True, tag="config_rolled_back"):
    revision: int
    reason: RollbackReason
    objects: list[Problem] = []


class LegStateChanged(_Report, frozen=True, kw_only=True, tag="leg_state_changed"):
    """Sent at once. `signal` is the name in the transition table (behaviour 3.3)."""

    bond_id: int
    leg_id: int
    old: ShownState
    new: ShownState
    signal: str


class LegFacts(Struct, frozen=True, kw_only=True):
    """What one end knows of a leg now. Speeds in kbit/s; None = not known at this end."""

    bond_id: int
    leg_id: int
    state: ShownState
    ip: str | None = None
    prefix: int | None = None
    gateway: str | None = None
    dhcp_server: str | None = None
    lease_obtained_ms: int | None = None
    lease_expires_ms: int | None = None
    adapted_kbps: int | None = None  # of the direction in which this end sends
    rtt_us: int | None = None
    loss_permille: int | None = None  # of the direction in which this end sends
    spill_reason: str = ""  # "" = full leg; else why it takes only spill, in words
    # Mobile legs, from the bonder (behaviour 3.8). Technology: 2g, 3g, 4g, 5g; quality: %.
    interface: str | None = None
    imei: str | None = None
    operator: str | None = None
    access_technology: str | None = None
    signal_quality: int | None = None


class NodeState(_Report, frozen=True, kw_only=True, tag="node_state"):
    """All states: after a start, after every change of config, and every 60 s."""

    boot_id: str
    legs: list[LegFacts]


class PathMtuMeasured(_Report, frozen=True, kw_only=True, tag="path_mtu_measured"):
    """The path MTU of the direction in which this end sends (behaviour 3.7)."""

    bond_id: int
    leg_id: int
    mtu: int
    method: MtuMethod = MtuMethod.MEASURED


class BondRates(_Report, frozen=True, kw_only=True, tag="bond_rates"):
    """Customer bytes per second through the bond; reported by the bonder.

    Of nodes older than Metrics, which carries the same.
    """

    bond_id: int
    download_bps: int
    upload_bps: int


class Metrics(_Report, frozen=True, kw_only=True, tag="metrics"):
    """Samples of the last reporting interval, of the node and of each bond it carries (4.7).

    `times_ms` rise, at most metrics.MOST_SAMPLES of them; each sample covers the `interval_ms`
    before its time. Names and units of the series: metrics.py.
    """

    interval_ms: int
    times_ms: list[int]
    node: Columns = {}
    bonds: list[BondMetrics] = []


class ProgramRestarted(_Report, frozen=True, kw_only=True, tag="program_restarted"):
    program: str
    reason: str
    count: int


class Noted(_Report, frozen=True, kw_only=True, tag="noted"):
    """Something an operator shall read: a hook failed, a modem was reset. `about` as in Problem."""

    about: str
    text: str


class ReportsLost(_Report, frozen=True, kw_only=True, tag="reports_lost"):
    """The disk queue was full (behaviour 1.5): how many reports were dropped."""

    count: int


class Counted(Struct, frozen=True, kw_only=True):
    """Outer IP packets of a speed test that one end sent and received in a time.

    `queue_milli`: how many packets waited here to be sent, on the mean; in thousandths.
    """

    span_ms: int = 0
    sent_bytes: int = 0
    sent_packets: int = 0
    received_bytes: int = 0
    received_packets: int = 0
    queue_milli: int = 0


class Latency(Struct, frozen=True, kw_only=True):
    """Round trips of probes; `deviation_us` is their standard deviation."""

    mean_us: int
    deviation_us: int
    samples: int


class SpeedTestReady(_Report, frozen=True, kw_only=True, tag="speed_test_ready"):
    """This end can begin a test that was ordered; it waits for the word."""

    test_id: int


class SpeedTestProgress(_Report, frozen=True, kw_only=True, tag="speed_test_progress"):
    """One second of a test. `second` counts from 1, from the start of the traffic."""

    test_id: int
    second: int
    counted: Counted
    latency: Latency | None = None


class SpeedTestEnded(_Report, frozen=True, kw_only=True, tag="speed_test_ended"):
    """How a test ended at this end; the last word about it.

    `error`: why it failed, in words; "" when it did not. `counted` and `latency` leave the first
    second out; `whole` is everything from the moment the leg was taken to when it was given back;
    `idle` is from before the traffic.
    """

    test_id: int
    error: str = ""
    stopped_by: StoppedBy = StoppedBy.LENGTH
    counted: Counted = Counted()
    whole: Counted = Counted()
    latency: Latency | None = None
    idle: Latency | None = None


Report: TypeAlias = (
    ConfigApplied
    | ConfigRefused
    | ConfigRolledBack
    | LegStateChanged
    | NodeState
    | PathMtuMeasured
    | BondRates
    | Metrics
    | ProgramRestarted
    | ReportsLost
    | Noted
    | SpeedTestReady
    | SpeedTestProgress
    | SpeedTestEnded
)
