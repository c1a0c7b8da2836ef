"""Counts of a space alone and of all below it, in one query by the closure table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Model, Q, QuerySet

from .models import Space, SpaceClosure

ALL = Q()


@dataclass(frozen=True, slots=True)
class RollUp:
    """The same counts twice: of objects of the space itself, and with its descendants."""

    local: dict[str, int]
    including_child_spaces: dict[str, int]


def roll_up(
    rows: QuerySet[Model], *, space: Space, counts: Mapping[str, Q], path: str = "space"
) -> RollUp:
    """Count rows of `space` and below by the conditions of `counts`, in one query.

    `path` leads from a row to its space.
    """
    own = Q(**{path: space})
    found = rows.filter(_at_or_below(space, path)).aggregate(
        **{f"local_{name}": Count("pk", filter=own & wanted) for name, wanted in counts.items()},
        **{f"whole_{name}": Count("pk", filter=wanted or None) for name, wanted in counts.items()},
    )
    return RollUp(
        local={name: found[f"local_{name}"] for name in counts},
        including_child_spaces={name: found[f"whole_{name}"] for name in counts},
    )


def roll_up_by(
    rows: QuerySet[Model], *, space: Space, columns: Mapping[str, Sequence[str]]
) -> RollUp:
    """Count rows of `space` and below, in all and by every value of some columns, in one query.

    `columns` names the values that are always told. Groups are counted by the database, which an
    index of space and columns answers alone; conditions would be asked of every row anew.
    """
    keys = list(columns)
    grouped = rows.filter(_at_or_below(space, "space")).order_by().values_list("space_id", *keys)
    by_space = grouped.annotate(found=Count("pk"))
    local, whole = _empty(columns), _empty(columns)
    for space_id, *values, found in by_space:
        for counts in (local, whole) if space_id == space.pk else (whole,):
            for name in ("count", *values):
                counts[name] += found
    return RollUp(local=local, including_child_spaces=whole)


def count_by_space(
    rows: QuerySet[Model], space_ids: Sequence[int], path: str = "space"
) -> dict[int, int]:
    """Return how many of `rows` belong to each of the spaces that has any, in one query."""
    within = rows.filter(**{f"{path}__in": space_ids}).order_by()
    pairs = within.values(path).annotate(found=Count("pk")).values_list(path, "found")
    return dict(pairs)


def _empty(columns: Mapping[str, Sequence[str]]) -> dict[str, int]:
    return {"count": 0} | {value: 0 for values in columns.values() for value in values}


def _at_or_below(space: Space, path: str) -> Q:
    if space.parent_id is None:
        return ALL
    below = SpaceClosure.objects.filter(ancestor=space).values("descendant_id")
    return Q(**{f"{path}__in": below})
