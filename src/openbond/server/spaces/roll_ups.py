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


def count_by_space(
    rows: QuerySet[Model], space_ids: Sequence[int], path: str = "space"
) -> dict[int, int]:
    """Return how many of `rows` belong to each of the spaces that has any, in one query."""
    within = rows.filter(**{f"{path}__in": space_ids}).order_by()
    pairs = within.values(path).annotate(found=Count("pk")).values_list(path, "found")
    return dict(pairs)


def _at_or_below(space: Space, path: str) -> Q:
    if space.parent_id is None:
        return ALL
    below = SpaceClosure.objects.filter(ancestor=space).values("descendant_id")
    return Q(**{f"{path}__in": below})
