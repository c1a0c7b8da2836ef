"""One look at a bond: what both the page and its stream show, with what metrics say of rates."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DatabaseError

from openbond.server.api.links import LEG_PATHS
from openbond.server.measurement.selectors.bond_now import AlarmNow, BondNow, LegNow, bond_now
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.selectors import node_status_timeout
from openbond.server.telemetry.rules.series import Told
from openbond.server.telemetry.selectors.newest import newest_of

ALARMS = {
    "leg_down": ("is down", "Ask its provider, or look at its cable and modem."),
    "leg_flapping": ("goes up and down", "Set it to idle until its provider has mended it."),
    "failover_in_use": ("carries the traffic: no other leg can", "See to the other legs."),
    "bond_down": ("No leg carries traffic", "See which end is silent, below."),
    "mtu_low": ("carries small packets only", "Detect its MTU again; ask its provider."),
    "speed_adjusted": ("gives less than half of its speed", "Run a speed test of this leg."),
}

LEG_WORDS = {
    "dhcp": "DHCP",
    "static": "static",
    "pppoe": "PPPoE",
    "mobilebroadband": "mobile",
}
MAY = ("change_bond", "add_leg", "view_leg", "view_aggregator", "add_speedtest", "change_tuner")
# Three usual reporting intervals (behaviour 4.7): what is older is no rate of now.
RATES_COUNT_FOR = timedelta(seconds=180)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rates:
    """Of one leg, in bit/s; None where nothing is known."""

    up: float | None
    down: float | None


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    leg: LegNow | None
    words: str
    advice: str
    since: datetime


@dataclass(frozen=True, slots=True)
class BondLook:
    """`minute`: since 1970, so that "3 minutes ago" goes on where nothing else changes."""

    bond: BondNow
    rates: Mapping[int, Rates]
    minute: int
    may: frozenset[str]

    @property
    def legs(self) -> list[tuple[LegNow, Rates]]:
        """What is worst first."""
        order = sorted(self.bond.legs, key=lambda leg: not leg.is_bad)
        return [(leg, self.rates.get(leg.id, Rates(None, None))) for leg in order]

    @property
    def leg_kinds(self) -> list[tuple[str, str]]:
        """The words of the addresses of each type, and what a button says."""
        return [(path, LEG_WORDS[kind]) for kind, path in LEG_PATHS.items()]

    @property
    def alarms(self) -> list[ShownAlarm]:
        legs = {leg.id: leg for leg in self.bond.legs}
        return [_alarm(one, legs) for one in self.bond.alarms]

    @property
    def verdict(self) -> str:
        """How it is, in one sentence."""
        bond = self.bond
        active = sum(leg.link_mode == "active" for leg in bond.legs)
        if bond.status == "unknown":
            return "Its bonder has never connected: provision it with the command below."
        if not bond.legs:
            return "It has no legs, so it carries nothing: add one."
        if not active:
            return "No leg is active: set the link mode of one to active."
        if bond.status == "down":
            return _why_down(bond)
        if bond.bad:
            return f"{bond.bad} of {active} active legs carry nothing; the bond goes on."
        return f"{bond.carrying} of {active} active legs carry traffic."


def look_at_bond(viewer: Viewer, bond_id: int, now: datetime) -> BondLook | None:
    """Return how a bond is; None for one that the viewer may not see."""
    if not viewer.can("view_bond"):
        return None
    since = now - timedelta(seconds=node_status_timeout())
    bond = bond_now(viewer, bond_id, now=now, fresh_since=since)
    if bond is None:
        return None
    may = frozenset(code for code in MAY if viewer.can(code))
    return BondLook(bond, _rates(bond, now - RATES_COUNT_FOR), int(now.timestamp()) // 60, may)


def _rates(bond: BondNow, since: datetime) -> dict[int, Rates]:
    """Return what each leg carries: both directions as the bonder counts them.

    What was measured has a database of its own; without it the page goes on (behaviour 4.7).
    """
    try:
        found = list(newest_of([Told.BOND_BY_BONDER], [bond.id], since=since))
    except DatabaseError as error:
        log.warning("rates of legs cannot be read", bond=bond.id, error=str(error))
        return {}
    return {
        owner: Rates(series.get("up"), series.get("down"))
        for _, _, means in found
        for owner, series in means.items()
    }


def _alarm(one: AlarmNow, legs: Mapping[int, LegNow]) -> ShownAlarm:
    words, advice = ALARMS.get(one.kind, (one.kind.replace("_", " "), ""))
    return ShownAlarm(legs.get(one.leg_id or 0), words, advice, one.since)


def _why_down(bond: BondNow) -> str:
    if bond.bonder.status != "up":
        return (
            "The bonder does not answer: no power at the site, or all its lines are down. "
            "Nothing can be changed there until it comes back."
        )
    if bond.is_current_failed or bond.current.status != "up":
        return f"The aggregator {bond.current.name} does not answer; the bonder does."
    return "Both ends answer, but no leg carries traffic between them: look at the legs."
