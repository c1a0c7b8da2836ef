"""What lists of legs are searched and ordered by: expressions, made only when a client asks."""

from django.db.models.functions import Coalesce, Least

from openbond.server.bonds.models.legs import DEFAULT_MTU_BYTES


def shown_column(column: str) -> Coalesce:
    """Return the expression of an address or interface as shown.

    What the record says goes before what the bonder reports: a static leg keeps its address.
    """
    return Coalesce(column, f"report__{column}")


def shown_mtu() -> Least:
    """Return the expression of a leg's path MTU in bytes: the lower of both directions."""
    return Least(
        Coalesce("report__down_mtu", "report__up_mtu", DEFAULT_MTU_BYTES),
        Coalesce("report__up_mtu", "report__down_mtu", DEFAULT_MTU_BYTES),
    )
