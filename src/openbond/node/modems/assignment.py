"""Which modem serves which leg: the one it names, else the first one free (behaviour 3.8). Pure."""

from collections.abc import Mapping, Sequence

from .messages import ModemLeg
from .objects import Modem


def assigned(
    legs: Sequence[ModemLeg], modems: Sequence[Modem], before: Mapping[int, str]
) -> dict[int, Modem]:
    """Return the modem of each leg that has one. `before`: IMEI by leg; a leg keeps its modem."""
    found: dict[int, Modem] = {}
    free = list(modems)
    by_name = [leg for leg in legs if leg.modem]
    others = [leg for leg in legs if not leg.modem]
    kept = [leg for leg in others if leg.leg_id in before]
    for leg in by_name:
        _take(found, free, leg, [modem for modem in free if modem.is_called(leg.modem)])
    for leg in kept:
        _take(found, free, leg, [modem for modem in free if modem.imei == before[leg.leg_id]])
    for leg in others:
        if leg.leg_id not in found:
            _take(found, free, leg, free)
    return found


def _take(
    found: dict[int, Modem], free: list[Modem], leg: ModemLeg, fitting: Sequence[Modem]
) -> None:
    if fitting:
        found[leg.leg_id] = fitting[0]
        free.remove(fitting[0])
