"""One bond at one look: its page on the site. Eight statements, however many legs it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from openbond.server.bonds.models import Leg
from openbond.server.bonds.models.legs import DEFAULT_MTU_BYTES
from openbond.server.bonds.rules.legs import CARRYING
from openbond.server.bonds.selectors import (
    bonds_in_reach,
    rate_of_bond,
    shown_column,
    state_of_end,
    state_of_leg,
    status_of_bond,
)
from openbond.server.fleet.models import ConfigUpdate, UpdateStatus
from openbond.server.fleet.selectors import status_of_node
from openbond.server.measurement.models import Alarm, LegChange
from openbond.server.measurement.rules import Source
from openbond.server.measurement.selectors.bond_work import (
    Advice,
    TestNow,
    TuningNow,
    pending_advice,
    unfinished_tests,
    unfinished_tunings,
)
from openbond.server.spaces.viewer import Viewer
from openbond.wire.states import LinkMode, ShownState

CARRYING_VALUES = frozenset(state.value for state in CARRYING)
MOST_WAITING = 200

# What a leg that carries nothing is asked first: why not.
WHY_NOTHING = {
    LinkMode.OFFLINE.value: "switched off",
    LinkMode.IDLE.value: "idle: answers, carries nothing",
}
WHY_STATE = {
    ShownState.DOWN.value: "no answer from the other end",
    ShownState.REMOVED.value: "its interface is gone",
    ShownState.HANDSHAKING.value: "agreeing on keys",
    ShownState.TESTING.value: "under test",
    ShownState.IDLE.value: "idle: answers, carries nothing",
    ShownState.UNKNOWN.value: "nobody reports of it",
}

NODES = ("bonder", "aggregator", "secondary_aggregator", "current_aggregator")
REPORTED = (
    "rtt_us",
    "down_mtu",
    "up_mtu",
    "operator",
    "signal_quality",
    "adapted_down_kbps",
    "adapted_up_kbps",
    "down_loss_permille",
    "up_loss_permille",
    "down_spill_reason",
    "up_spill_reason",
)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a leg. Speeds in kbit/s; `adapted_kbps` None unless lowered; `why`: the
    reason of a spill leg or of one that carries nothing, "" of a full leg.
    """

    kbps: int
    adapted_kbps: int | None
    loss_permille: int | None
    use: str  # full, spill, nothing, when needed
    why: str


@dataclass(frozen=True, slots=True)
class LegNow:
    """`since`: when either end last said something else; `rtt_us` microseconds, `mtu` bytes."""

    id: int
    type: str
    interface: str
    note: str
    ip: str
    link_mode: str
    is_failover: bool
    state: str
    bonder_state: str
    aggregator_state: str
    since: datetime | None
    rtt_us: int | None
    mtu: int
    operator: str
    signal: int | None
    up: Way
    down: Way

    @property
    def is_carrying(self) -> bool:
        return self.link_mode == LinkMode.ACTIVE.value and self.state in CARRYING_VALUES

    @property
    def is_bad(self) -> bool:
        return self.link_mode == LinkMode.ACTIVE.value and self.state in ("down", "removed")


@dataclass(frozen=True, slots=True)
class NodeNow:
    id: int
    name: str
    status: str
    heard: datetime | None


@dataclass(frozen=True, slots=True)
class AlarmNow:
    kind: str
    leg_id: int | None
    since: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """Config updates of a node: how many in each status, since when, and the last error."""

    counts: Mapping[str, int]
    since: datetime | None
    error: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class BondNow:
    """Rates in bit/s. `since`: when a bond went down. Since when one is up, histories tell."""

    id: int
    name: str
    status: str
    since: datetime | None
    download_rate: int
    upload_rate: int
    bonder: NodeNow
    current: NodeNow
    primary: NodeNow
    secondary: NodeNow | None
    is_primary_failed: bool
    is_current_failed: bool
    is_tuning: bool
    legs: tuple[LegNow, ...]
    alarms: tuple[AlarmNow, ...]
    waiting: Waiting
    tests: tuple[TestNow, ...]
    tunings: tuple[TuningNow, ...]
    advice: tuple[Advice, ...]

    @property
    def is_failed_over(self) -> bool:
        return self.current.id != self.primary.id

    @property
    def carrying(self) -> int:
        return sum(leg.is_carrying for leg in self.legs)

    @property
    def bad(self) -> int:
        return sum(leg.is_bad for leg in self.legs)


def bond_now(
    viewer: Viewer, bond_id: int, *, now: datetime, fresh_since: datetime
) -> BondNow | None:
    """Return a bond as it is; None out of reach. What the viewer may not see is empty.

    Reports from before `fresh_since` count as unknown.
    """
    row = _bond(viewer, bond_id, fresh_since)
    if row is None:
        return None
    legs = _legs(bond_id, fresh_since) if viewer.can("view_leg") else ()
    secondary = row["secondary_aggregator_id"]
    return BondNow(
        id=row["id"],
        name=row["bonder__name"],
        status=row["word"],
        since=_since(row, legs),
        download_rate=row["down"],
        upload_rate=row["up"],
        bonder=_node(row, "bonder"),
        current=_node(row, "current_aggregator"),
        primary=_node(row, "aggregator"),
        secondary=_node(row, "secondary_aggregator") if secondary else None,
        is_primary_failed=row["aggregator__failed"],
        is_current_failed=row["current_aggregator__failed"],
        is_tuning=row["tuning_in_progress"],
        legs=legs,
        alarms=_alarms(bond_id) if viewer.can("view_leg") else (),
        waiting=_waiting(row["bonder_id"], row["current_aggregator_id"], bond_id),
        tests=unfinished_tests(bond_id) if viewer.can("view_speedtest") else (),
        tunings=unfinished_tunings(bond_id) if viewer.can("view_tuner") else (),
        advice=pending_advice(bond_id) if viewer.can("view_tuner") else (),
    )


def _bond(viewer: Viewer, bond_id: int, since: datetime) -> Row | None:
    nodes = [f"{node}__{name}" for node in NODES for name in ("name", "last_connected")]
    found: Row | None = (
        bonds_in_reach(viewer)
        .filter(pk=bond_id)
        .annotate(
            word=status_of_bond(since=since),
            down=rate_of_bond("download", since=since),
            up=rate_of_bond("upload", since=since),
            **{f"{node}_word": status_of_node(since=since, path=f"{node}__") for node in NODES},
        )
        .values(
            "id",
            "word",
            "down",
            "up",
            "tuning_in_progress",
            "aggregator__failed",
            "current_aggregator__failed",
            *(f"{node}_id" for node in NODES),
            *(f"{node}_word" for node in NODES),
            *nodes,
        )
        .first()
    )
    return found


def _node(row: Row, path: str) -> NodeNow:
    heard = row[f"{path}__last_connected"]
    return NodeNow(row[f"{path}_id"], row[f"{path}__name"], row[f"{path}_word"], heard)


def _legs(bond_id: int, since: datetime) -> tuple[LegNow, ...]:
    said = LegChange.objects.filter(
        leg=OuterRef("pk"), source__in=[Source.BONDER.value, Source.AGGREGATOR.value]
    )
    rows = Leg.objects.filter(bond=bond_id).annotate(
        word=state_of_leg(since=since),
        bonder_word=state_of_end("bonder", since=since),
        aggregator_word=state_of_end("aggregator", since=since),
        at=Subquery(said.order_by("-id").values("start")[:1]),
        shown_interface=shown_column("interface"),
        shown_ip=shown_column("ip"),
    )
    found = rows.order_by("id").values(
        "id",
        "type",
        "note",
        "link_mode",
        "failover",
        "modem",
        "word",
        "bonder_word",
        "aggregator_word",
        "at",
        "shown_interface",
        "shown_ip",
        "down_kbps",
        "up_kbps",
        *(f"report__{name}" for name in REPORTED),
    )
    return tuple(_leg(row) for row in found)


def _leg(row: Row) -> LegNow:
    mtus = [row[f"report__{way}_mtu"] for way in ("down", "up")]
    return LegNow(
        id=row["id"],
        type=row["type"],
        interface=row["shown_interface"] or row["modem"],
        note=row["note"],
        ip=row["shown_ip"] or "",
        link_mode=row["link_mode"],
        is_failover=row["failover"],
        state=row["word"],
        bonder_state=row["bonder_word"],
        aggregator_state=row["aggregator_word"],
        since=row["at"],
        rtt_us=row["report__rtt_us"],
        mtu=min((mtu for mtu in mtus if mtu is not None), default=DEFAULT_MTU_BYTES),
        operator=row["report__operator"] or "",
        signal=row["report__signal_quality"],
        up=_way(row, "up"),
        down=_way(row, "down"),
    )


def _way(row: Row, way: str) -> Way:
    use, why = _use(row, way)
    return Way(
        kbps=row[f"{way}_kbps"],
        adapted_kbps=row[f"report__adapted_{way}_kbps"],
        loss_permille=row[f"report__{way}_loss_permille"],
        use=use,
        why=why,
    )


def _use(row: Row, way: str) -> tuple[str, str]:
    """Return what a direction of a leg is used for, and why no more than that."""
    mode, state = row["link_mode"], row["word"]
    if mode in WHY_NOTHING:
        return "nothing", WHY_NOTHING[mode]
    if state not in CARRYING_VALUES:
        return "nothing", WHY_STATE.get(state, "")
    if row["failover"]:
        return "when needed", "failover leg: carries traffic when no other leg can"
    reason = row[f"report__{way}_spill_reason"]
    return ("spill", reason) if reason else ("full", "")


def _since(row: Row, legs: tuple[LegNow, ...]) -> datetime | None:
    if row["word"] != "down":
        return None
    active = [leg.since for leg in legs if leg.link_mode == LinkMode.ACTIVE.value]
    return max((at for at in active if at is not None), default=None)


def _alarms(bond_id: int) -> tuple[AlarmNow, ...]:
    rows = Alarm.objects.filter(bond=bond_id, opened__isnull=False, closed__isnull=True)
    found = rows.order_by("opened").values_list("kind", "leg_id", "since")
    return tuple(AlarmNow(kind, leg_id, since) for kind, leg_id, since in found)


def _waiting(bonder_id: int, aggregator_id: int, bond_id: int) -> Waiting:
    """Return what the bonder must still learn, and the aggregator of this bond."""
    of_both = Q(node=bonder_id) | Q(node=aggregator_id, bond_id=bond_id)
    rows = ConfigUpdate.objects.filter(of_both).exclude(status=UpdateStatus.APPLIED)
    found = list(rows.order_by("id").values_list("status", "created", "last_error")[:MOST_WAITING])
    counts: dict[str, int] = {}
    for status, _, _ in found:
        counts[status] = counts.get(status, 0) + 1
    errors = [error for _, _, error in found if error]
    return Waiting(counts, found[0][1] if found else None, errors[-1] if errors else "")
