"""Ways for the management channel to the server, in the order to try them (behaviour 1.5). Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

# The way that no leg carries: the machine's own routing. Aggregators have only this one.
OWN_ROUTING = 0


@dataclass(frozen=True, slots=True)
class Way:
    """One leg with an address, or the machine's own routing (leg_id 0, no source)."""

    leg_id: int
    source: str | None = None
    interface: str | None = None
    is_mobile: bool = False
    name_servers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"leg {self.leg_id}" if self.leg_id else "own routing"


BY_OWN_ROUTING = Way(OWN_ROUTING)


def in_order(
    ways: Iterable[Way], *, last_success: int | None, silent: Collection[int] = ()
) -> list[Way]:
    """Return last success first, mobile legs last, the machine's own routing after all legs.

    `silent`: legs on which the tunnel hears nothing; they come behind all that are heard.
    """

    def rank(way: Way) -> tuple[bool, bool, bool, bool, int]:
        return (
            way.leg_id in silent,
            way.leg_id != last_success,
            way.leg_id == OWN_ROUTING,
            way.is_mobile,
            way.leg_id,
        )

    return sorted(ways, key=rank)
