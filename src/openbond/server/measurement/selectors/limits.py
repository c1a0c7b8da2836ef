"""What a space allows measurements to cost: its own limits, or the nearest ancestor's."""

from dataclasses import fields, replace

from openbond.server.measurement.models import MeasuringLimits
from openbond.server.measurement.rules.limits import Limits

NAMES = tuple(field.name for field in fields(Limits))


def limits_of(space_id: int) -> Limits:
    rows = MeasuringLimits.objects.filter(space__closure_below__descendant=space_id)
    found = Limits()
    for row in rows.order_by("-space__closure_below__depth").values(*NAMES):
        found = replace(found, **{name: value for name, value in row.items() if value is not None})
    return found
