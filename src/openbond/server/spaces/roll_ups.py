"""Counts of a space alone and of all below it: kept by triggers, or by the closure table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet, Sum

from .models import Space, SpaceClosure, SpaceCount

ALL = Q()


@dataclass(frozen=True, slots=True)
class RollUp:
    """The same counts twice: of objects of the space itself, and with its descendants."""

    local: dict[str, int]
    including_child_spaces: dict[str, int]


def counted(space: Space, what: str, *, keys: Mapping[str, str]) -> RollUp:
    """Return what counting.py keeps of a kind: `count`, and how many have each part in their key.

    `keys`: the name that is shown → the part: {"dhcp": "dhcp"} counts "leg.dhcp.active" and others.
    """
    rows = SpaceCount.objects.filter(Q(what=what) | Q(what__startswith=f"{what}."))
    found = rows.filter(space_id=space.pk).values_list("what").annotate(Sum("own"), Sum("whole"))
    local, below = dict.fromkeys(("count", *keys), 0), dict.fromkeys(("count", *keys), 0)
    for name, own, whole in found:
        parts = name.removeprefix(what).split(".")
        for key in ("count", *(key for key, part in keys.items() if part in parts)):
            local[key] += own
            below[key] += whole
    return RollUp(local=local, including_child_spaces=below)


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
    # Asked of each row that is found otherwise: a list of 10,000 spaces would lead the search.
    return Q(Exists(SpaceClosure.objects.filter(ancestor=space, descendant=OuterRef(path))))
