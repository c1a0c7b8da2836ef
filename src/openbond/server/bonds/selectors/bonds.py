"""Reads of bonds, legs and mobile provider profiles."""

from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Case, Count, F, QuerySet, Value, When

from openbond.server.bonds.models import Bond, Leg, MobileProviderProfile
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.prepared import Given


def bonds_visible_to(viewer: Viewer) -> QuerySet[Bond]:
    """Bonds in reach, with the rows that every bond shows."""
    rows = Bond.objects.filter(viewer.in_reach())
    return rows.select_related("bonder__space", "report")


def bonds_in_reach(viewer: Viewer) -> QuerySet[Bond]:
    """Bonds in reach, bare: to find a parent or a relation target."""
    return Bond.objects.filter(viewer.in_reach())


def legs_visible_to(viewer: Viewer) -> QuerySet[Leg]:
    """Legs of bonds in reach, with what the nodes report of them."""
    return Leg.objects.filter(viewer.in_reach()).select_related("report")


def mobile_provider_profiles_visible_to(viewer: Viewer) -> QuerySet[MobileProviderProfile]:
    """Profiles in reach or shared; `leg_count` is of the whole installation."""
    visible = viewer.in_reach_or(viewer.shared.mobile_provider_profiles)
    rows = MobileProviderProfile.objects.filter(visible).select_related("space")
    reached = viewer.in_reach("legs__space")
    return rows.annotate(
        leg_count=Count("legs", distinct=True),
        reached_leg_count=Count("legs", filter=reached, distinct=True),
    )


def rate_of_bond(direction: str, *, since: datetime | Given) -> Case:
    """Return the expression of a bond's `download` or `upload` rate in bit/s: 0 without a fresh
    report since then."""
    return Case(
        When(report__reported__gte=since, then=F(f"report__{direction}_rate")),
        default=Value(0),
        output_field=BigIntegerField(),
    )


def with_rates(bonds: QuerySet[Bond], *, now: datetime, timeout_seconds: int) -> QuerySet[Bond]:
    """Add `download_rate` and `upload_rate`."""
    since = now - timedelta(seconds=timeout_seconds)
    return bonds.annotate(
        download_rate=rate_of_bond("download", since=since),
        upload_rate=rate_of_bond("upload", since=since),
    )
