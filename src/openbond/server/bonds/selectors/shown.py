"""What lists of legs are searched and ordered by, beside the states."""

from datetime import datetime

from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Least

from openbond.server.bonds.models import Leg
from openbond.server.bonds.models.legs import DEFAULT_MTU_BYTES

from .states import with_states


def with_shown(legs: QuerySet[Leg], *, now: datetime, timeout_seconds: int) -> QuerySet[Leg]:
    """Add the states, and `shown_interface`, `shown_ip`, `shown_ip_key`, `shown_mtu` (bytes).

    What the record says goes before what the bonder reports: a static leg keeps its address.
    """
    return with_states(legs, now=now, timeout_seconds=timeout_seconds).annotate(
        shown_interface=Coalesce("interface", "report__interface"),
        shown_ip=Coalesce("ip", "report__ip"),
        shown_ip_key=Coalesce("ip_key", "report__ip_key"),
        shown_mtu=Least(
            Coalesce("report__down_mtu", "report__up_mtu", DEFAULT_MTU_BYTES),
            Coalesce("report__up_mtu", "report__down_mtu", DEFAULT_MTU_BYTES),
        ),
    )
