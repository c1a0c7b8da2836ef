"""Speed tests between the two nodes of a bond: what the server orders (behaviour 4.1 to 4.3).

Orders travel in answers to polls: always all of a node's, so a test that is no longer among them
is cancelled. The results come back as reports.
"""

from enum import StrEnum

from msgspec import Struct

from .states import Distribution


class Protocol(StrEnum):
    TCP = "tcp"
    UDP = "udp"


class Direction(StrEnum):
    """As the customer sees it: a download is sent by the aggregator."""

    DOWNLOAD = "download"
    UPLOAD = "upload"


class StoppedBy(StrEnum):
    """What ended the traffic of a test that did not fail."""

    LENGTH = "length"
    BYTES = "bytes"


class TrialSpeed(Struct, frozen=True, kw_only=True):
    leg_id: int
    down_kbps: int
    up_kbps: int


class TrialSettings(Struct, frozen=True, kw_only=True):
    """What a test of the bond is run with in place of the bond's settings (behaviour 4.6).

    For that test only: either end takes it back when the test ends, however it ends. Legs that are
    not named keep their speeds.
    """

    packet_distribution: Distribution
    legs: list[TrialSpeed] = []


class SpeedTestOrder(Struct, frozen=True, kw_only=True):
    """One test that a node shall run now: over one leg, or over the bond when `leg_id` is None.

    `begin` is false until both ends have said that they are ready (reports.SpeedTestReady).
    `rate_limit_kbps` counts outer IP packets, as `most_bytes` does: after so many the test ends.
    `idle_seconds`: how long the idle latency is probed before the traffic. `port`: where the
    aggregator listens, on its tunnel address. `keeps_leg_ms`: how long the leg stays out of its
    bond after a test that ended well, for the next test of the same tuning (behaviour 4.5).
    `trial`: None runs a test of the bond as in service.
    """

    test_id: int
    bond_id: int
    leg_id: int | None
    protocol: Protocol
    direction: Direction
    length_seconds: int
    rate_limit_kbps: int | None
    concurrency: int
    most_bytes: int
    port: int
    idle_seconds: int = 0
    begin: bool = False
    keeps_leg_ms: int = 0
    trial: TrialSettings | None = None
