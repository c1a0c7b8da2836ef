"""Fixes the figures of prevented downtime once late reports have had their time."""

from datetime import datetime

from django.db import transaction

from openbond.server.bonds.models import Bond
from openbond.server.measurement.models import FixedFigure, FixedPeriod
from openbond.server.measurement.selectors.outages import figures_to_fix


@transaction.atomic
def fix_prevented_downtime(*, now: datetime) -> None:
    """Keep the figures of the previous month as they are 7 days after its end, or soon after.

    Those of a week need no keeping: when they are that old, another week is the previous one.
    """
    found = figures_to_fix(Bond.objects.all(), now=now)
    if found is None:
        return
    period = FixedPeriod.objects.create(start=found.period.start, end=found.period.end, fixed=now)
    FixedFigure.objects.bulk_create(
        FixedFigure(
            period=period,
            bond_id=bond_id,
            duration=figure.prevented.duration,
            count=figure.prevented.count,
            none_left=figure.prevented.none_left,
            legs=sorted(figure.legs),
        )
        for bond_id, figure in found.figures.items()
    )
