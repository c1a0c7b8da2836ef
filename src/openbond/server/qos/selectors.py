"""Reads of QoS profiles, from who asks."""

from collections.abc import Sequence
from dataclasses import fields

from django.db.models import QuerySet

from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import RollUp, counted
from openbond.server.spaces.selectors import sharing_of
from openbond.server.spaces.viewer import Viewer

from .models import QosClass, QosFilter, QosProfile
from .rules import ClassSpec, FilterSpec


def qos_profiles_visible_to(viewer: Viewer) -> QuerySet[QosProfile]:
    """Profiles in reach, and those shared with the home space; classes and filters with them."""
    rows = QosProfile.objects.filter(viewer.in_reach_or(viewer.shared.qos_profiles))
    return rows.select_related("space").prefetch_related("classes", "filters")


def is_qos_profile_usable_in(*, profile: QosProfile, space: Space) -> bool:
    """Report whether `profile` belongs to `space` or is shared with it."""
    return profile.space_id == space.pk or profile.space_id in sharing_of(space).qos_profiles


def qos_profile_statistics(space: Space) -> RollUp:
    """Return `count` of the profiles of a space and below."""
    return counted(space, "qos_profile", keys={})


def parts_of_profiles(profile_ids: Sequence[int]) -> tuple[QuerySet[QosClass], QuerySet[QosFilter]]:
    """Return the classes and the filters of profiles, each in its order; none read yet."""
    classes = QosClass.objects.filter(profile__in=profile_ids).order_by("position")
    filters = QosFilter.objects.filter(profile__in=profile_ids).order_by("position")
    return classes, filters


def parts_of(profile: QosProfile) -> tuple[tuple[ClassSpec, ...], tuple[FilterSpec, ...]]:
    """Return the classes and filters of a profile as values, in their order."""
    classes = tuple(
        ClassSpec(row.name, row.bandwidth, is_default=row.is_default, copies=row.copies)
        for row in profile.classes.order_by("position")
    )
    names = [field.name for field in fields(FilterSpec) if field.name != "target"]
    filters = tuple(
        FilterSpec(target=row.target.name, **{name: getattr(row, name) for name in names})
        for row in profile.filters.order_by("position").select_related("target")
    )
    return classes, filters
