"""Whether what a bond or leg refers to may be used in the bond's space (api-v3 00-general 11.4)."""

from collections.abc import Container

from openbond.server.bonds.models import Bond, Leg, MobileProviderProfile
from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import sharing_of

NOT_USABLE = "The {what} may not be used in the bond's space."
SPACE_WITHOUT = "The {what} of the bond may not be used in this space."

AGGREGATOR = "primary aggregator"
SECONDARY = "secondary aggregator"
QOS_PROFILE = "QoS profile"
MOBILE_PROFILE = "mobile provider profile of a leg"


def faults_of_relations(bond: Bond, *, sent: Container[str]) -> dict[str, list[str]]:
    """Return which relations of a bond may not be used in its space, on the fields sent."""
    shared = sharing_of(bond.space)
    own = {bond.space_id}
    related = [
        ("aggregator", AGGREGATOR, bond.aggregator, own | shared.aggregators),
        ("secondary_aggregator", SECONDARY, bond.secondary_aggregator, own | shared.aggregators),
        ("qos_profile", QOS_PROFILE, bond.qos_profile, own | shared.qos_profiles),
    ]
    faults: dict[str, list[str]] = {}
    for field, what, target, usable in related:
        if target is None or target.space_id in usable:
            continue
        if field in sent:
            faults[field] = [NOT_USABLE.format(what=what)]
        else:
            faults.setdefault("space", []).append(SPACE_WITHOUT.format(what=what))
    if "space" in sent and not _profiles_usable(bond, own | shared.mobile_provider_profiles):
        faults.setdefault("space", []).append(SPACE_WITHOUT.format(what=MOBILE_PROFILE))
    return faults


def is_profile_usable_in(*, profile: MobileProviderProfile, space: Space) -> bool:
    """Report whether `profile` belongs to `space` or is shared with it."""
    return (
        profile.space_id == space.pk
        or profile.space_id in sharing_of(space).mobile_provider_profiles
    )


def _profiles_usable(bond: Bond, usable: set[int]) -> bool:
    legs = Leg.objects.filter(bond_id=bond.pk, provider_profile__isnull=False)
    return not legs.exclude(provider_profile__space__in=usable).exists()
