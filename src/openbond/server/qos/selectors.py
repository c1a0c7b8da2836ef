"""Reads of QoS profiles, from who asks."""

from django.db.models import QuerySet

from openbond.server.spaces.models import Space
from openbond.server.spaces.roll_ups import ALL, RollUp, roll_up
from openbond.server.spaces.selectors import sharing_of
from openbond.server.spaces.viewer import Viewer

from .models import QosProfile


def qos_profiles_visible_to(viewer: Viewer) -> QuerySet[QosProfile]:
    """Profiles in reach, and those shared with the home space; classes and filters with them."""
    rows = QosProfile.objects.filter(viewer.in_reach_or(viewer.shared.qos_profiles))
    return rows.select_related("space").prefetch_related("classes", "filters")


def is_qos_profile_usable_in(*, profile: QosProfile, space: Space) -> bool:
    """Report whether `profile` belongs to `space` or is shared with it."""
    return profile.space_id == space.pk or profile.space_id in sharing_of(space).qos_profiles


def qos_profile_statistics(space: Space) -> RollUp:
    """Return `count` of the profiles of a space and below."""
    return roll_up(QosProfile.objects.all(), space=space, counts={"count": ALL})
