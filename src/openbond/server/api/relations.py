"""A field that names another object: by URL, id, text of an id, or object (00-general.md, 6)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

from django.db.models import Model, QuerySet
from rest_framework import serializers

from openbond.server.spaces.models import Space
from openbond.server.spaces.selectors import spaces_visible_to

from .fields import JsonValue, Texts, whole_number

M = TypeVar("M", bound=Model)

ABSENT = "Invalid hyperlink - Object does not exist."
MAX_ID = 2**63 - 1
SLASHES = re.compile("/{2,}")


class Relation(serializers.Field[M, object, object, object], Generic[M]):
    """One object of a resource within the caller's reach.

    `path` is the address below /api/v3/, a pattern whose last group is the id. `rows` returns what
    the viewer in the serializer's context may name.
    """

    default_error_messages = {"absent": ABSENT}

    def __init__(
        self,
        path: str,
        rows: Callable[..., QuerySet[M]],
        *,
        keyed: str | None = None,
        **options: object,
    ):
        options.setdefault("required", False)
        super().__init__(**options)  # type: ignore[arg-type]
        self.path = path
        self.address = Address(path, keyed=keyed is not None)
        self.rows = rows
        self.keyed = keyed

    def run_validation(self, data: JsonValue = serializers.empty) -> M | None:
        # A form has no null, and an empty string names nothing.
        found: M | None = super().run_validation(None if data == "" else data)
        return found

    def to_internal_value(self, data: JsonValue) -> M:
        named = self.address.named_by(data)
        if named is None:
            self.fail("absent")
        lookup = {"pk": named} if isinstance(named, int) else {f"{self.keyed}__iexact": named}
        row = self.rows(self.context["viewer"]).filter(**lookup).first()
        if row is None:
            self.fail("absent")
        return row


class SpaceRelation(Relation[Space]):
    """A space within reach, by its key too."""

    def __init__(self, **options: object):
        super().__init__("spaces", spaces_visible_to, keyed="key", **options)


class Relations(Texts):
    """Several objects of one resource; a write replaces the list."""

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        return list(dict.fromkeys(super().run_child_validation(data)))


class Address:
    """Where a resource lives, and what a client may write instead of its URL."""

    def __init__(self, path: str, *, keyed: bool = False):
        # A key is never all digits, so ids and keys cannot be taken for each other.
        self.pattern = re.compile(rf"(?:/[^/]+)*/api/v3/{path}/([A-Za-z0-9_-]+)/?")
        self.keyed = keyed

    def named_by(self, given: JsonValue) -> int | str | None:
        """Return the id (or key) that `given` names, or None if it names nothing of ours."""
        if isinstance(given, Mapping):
            return self._named_by_object(given)
        if isinstance(given, str) and "/" in given:
            return self._named_by_url(given)
        return self._named_by_word(given)

    def _named_by_object(self, given: Mapping[str, JsonValue]) -> int | str | None:
        for key in ("url", "id", "key") if self.keyed else ("url", "id"):
            if given.get(key) is not None:
                inner = given[key]
                return None if isinstance(inner, Mapping) else self.named_by(inner)
        return None

    def _named_by_url(self, given: str) -> int | str | None:
        try:
            path = urlsplit(given.strip()).path
        except ValueError:
            return None
        match = self.pattern.fullmatch(SLASHES.sub("/", path))
        return self._named_by_word(match[1]) if match else None

    def _named_by_word(self, given: JsonValue) -> int | str | None:
        number = whole_number(given)
        if number is not None:
            return number if 0 < number <= MAX_ID else None
        if self.keyed and isinstance(given, str) and re.fullmatch("[A-Za-z0-9_-]+", given.strip()):
            return given.strip()
        return None
