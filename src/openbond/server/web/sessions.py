"""Whose sessions live, for many at once: streams ask this every few seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import codes_of_users, living_sessions

from .visit import SPACE_KEY


@dataclass(frozen=True, slots=True)
class Seat:
    """From where somebody looks: all with an equal one see the same.

    `space_id`: the space switched to, if it is in reach of `home_id`. `user` is one of those who
    look from there, whoever came first.
    """

    home_id: int
    space_id: int
    codes: frozenset[str]
    user: User = field(compare=False)


def seats_of(keys: Sequence[str]) -> Mapping[str, Seat]:
    """Return from where each living session looks, by its key; five statements for all of them."""
    living = living_sessions(keys, now=timezone.now())
    codes = codes_of_users({user.pk for user, _ in living.values()})
    return {
        key: Seat(
            home_id=user.space_id,
            space_id=data.get(SPACE_KEY) or user.space_id,
            codes=codes[user.pk],
            user=user,
        )
        for key, (user, data) in living.items()
    }
