"""The inputs of a form, each of the kind that the API's field is, and what is typed into them.

What is typed is text, or several texts for a field that holds several; `Inputs.sent` makes of it
what a client of the API would send. Nested fields are called `outer.inner`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from openbond.server.api.fields import AnyField
from openbond.server.api.options import describe_field
from openbond.server.api.relations import Relation
from openbond.server.api.resource import Resource
from openbond.server.spaces.viewer import Viewer

from .cells import label
from .declaring import Sheet
from .filters import named
from .names import SOURCES, Names, Offer, called, kind_and_id, offers

Typed = str | list[str]
LONG_TEXT = 1000
SECRETS = frozenset({"password", "email_password"})
MOST_BOXES = 200


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form."""

    name: str
    label: str
    kind: str  # text, area, number, choice, flag, relation, many, secret
    field: AnyField
    is_required: bool = False
    help: str = ""
    unit: str = ""
    low: object = None
    high: object = None
    longest: object = None
    choices: tuple[tuple[str, str], ...] = ()
    source: str = ""
    offers: tuple[Offer, ...] = ()
    typed: Typed = ""
    faults: tuple[str, ...] = ()
    # Shown, but never to be changed again.
    is_fixed: bool = False

    @property
    def id(self) -> str:
        return f"field-{self.name.replace('.', '-')}"

    @property
    def is_checked(self) -> bool:
        return self.typed == "true"

    @property
    def boxes(self) -> list[tuple[str, str, bool]]:
        """Value, words and mark of each box of a field that holds several."""
        return [(value, words, value in self.typed) for value, words in self.choices]

    @property
    def in_words(self) -> str:
        """What is typed, as it is read; secrets never."""
        if self.kind == "secret":
            return "(not shown)" if self.typed else ""
        if self.kind == "flag":
            return "yes" if self.is_checked else "no"
        if isinstance(self.typed, list):
            return ", ".join(words for _, words, is_marked in self.boxes if is_marked)
        return self.typed


def input_of(name: str, field: AnyField, sheet: Sheet, *, is_new: bool, is_fixed: bool) -> Input:
    """Return the input of a field, still empty."""
    described = describe_field(field)
    last = name.rpartition(".")[2]
    unit = str(described.get("help_text", ""))
    made = Input(
        name=name,
        label=label(last),
        kind=_kind(last, field, described),
        field=field,
        # What a form cannot leave blank is required there even where the API has a default.
        is_required=bool(field.required) or (not is_new and described.get("min_length") == 1),
        help=sheet.helps.get(last, ""),
        unit=unit,
        low=described.get("min_value"),
        high=described.get("max_value"),
        longest=described.get("max_length"),
        is_fixed=is_fixed,
    )
    if made.kind == "secret":
        return replace(made, is_required=is_new and made.is_required)
    return made


def _kind(name: str, field: AnyField, described: Mapping[str, object]) -> str:
    if name in SECRETS or field.write_only:
        return "secret"
    kinds = {
        "boolean": "flag",
        "integer": "number",
        "float": "number",
        "choice": "choice",
        "list": "many",
        "field": "relation",
    }
    kind = kinds.get(str(described["type"]), "text")
    longest = described.get("max_length")
    is_long = isinstance(longest, int) and longest >= LONG_TEXT
    return "area" if kind == "text" and is_long else kind


def with_choices(one: Input, viewer: Viewer) -> Input:
    """Return the input with what can be chosen there: words, boxes, or the first objects."""
    inner = getattr(one.field, "child", None)
    if isinstance(one.field, Relation):
        source = source_of(one.field)
        return replace(one, source=source, offers=tuple(offers(viewer, source, "")))
    if isinstance(inner, Relation):
        found = SOURCES[source_of(inner)].rows(viewer)
        rows = found.order_by("pk").values_list("pk", SOURCES[source_of(inner)].column)
        boxes = tuple((str(key), str(name)) for key, name in rows[:MOST_BOXES])
        return replace(one, source=source_of(inner), choices=boxes)
    holder = inner if isinstance(inner, serializers.ChoiceField) else one.field
    if isinstance(holder, serializers.ChoiceField):
        words = tuple((str(word), str(word).replace("_", " ")) for word in holder.choices)
        return replace(one, choices=words)
    return one


def source_of(field: Relation[Any]) -> str:
    return "legs" if "legs" in field.path else field.path


def written_fields(
    door: Resource[Any], *, row: Any, viewer: Viewer
) -> Iterator[tuple[str, AnyField, bool]]:
    """Return name, field and whether it is fixed, of all that the viewer may send."""
    body = door.body(instance=row, context={"viewer": viewer, "view": door, "row": row})
    code = door.credentials_code
    barred = body.secret if code is not None and not viewer.can(code) else frozenset()
    for name, field in body.fields.items():
        if field.read_only or name in barred:
            continue
        is_fixed = row is not None and name in body.fixed
        if isinstance(field, serializers.BaseSerializer):
            inner: Mapping[str, AnyField] = getattr(field, "fields", {})
            for below, part in inner.items():
                if not part.read_only:
                    yield f"{name}.{below}", part, is_fixed
        else:
            yield name, field, is_fixed


def typed_of(one: Input, value: object, names: Names) -> Typed:
    """Return what stands in an input for a value as the API shows it."""
    if one.kind == "secret":
        return ""
    if isinstance(value, list):
        return [_id_or_word(each) for each in value]
    if value is None:
        return [] if one.kind == "many" else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value).replace("\r\n", "\n")
    address = kind_and_id(text) if one.kind == "relation" else None
    if address is None:
        return text
    name, number = names.of(text), f"#{address[1]}"
    return number if name == number else called(name, address[1])


def _id_or_word(value: object) -> str:
    address = kind_and_id(str(value))
    return str(address[1]) if address else str(value)


def value_in(shown: Mapping[str, Any], name: str) -> object:
    """Return the value of `outer.inner` in an object as shown."""
    outer, _, inner = name.partition(".")
    value = shown.get(outer)
    return value.get(inner) if inner and isinstance(value, Mapping) else value


def typed_in(one: Input, form: QueryDict) -> Typed:
    """Return what was typed into an input; a box that is not sent is not checked."""
    if one.kind == "flag":
        return "true" if form.get(one.name, "") in {"true", "on", "1"} else "false"
    if one.kind == "many":
        return [value for value in form.getlist(one.name) if value]
    text = form.get(one.name, "")
    # Browsers end the lines of an area with CR LF.
    return text.replace("\r\n", "\n").strip() if one.kind != "secret" else text


def sent_value(one: Input, viewer: Viewer) -> tuple[object, str]:
    """Return what the API is sent for what is typed, and in words why there is nothing to send."""
    if isinstance(one.typed, list) or one.kind not in {"relation"}:
        is_null = one.typed == "" and bool(one.field.allow_null)
        return (None if is_null else one.typed), ""
    if one.typed == "":
        return None, ""
    found = named(viewer, one.source or source_of_field(one.field), one.typed)
    return (None, found) if isinstance(found, str) else (found, "")


def source_of_field(field: AnyField) -> str:
    return source_of(field) if isinstance(field, Relation) else ""


def nested(flat: Mapping[str, object]) -> dict[str, Any]:
    """Return the body of a request, of values by `outer.inner`."""
    body: dict[str, Any] = {}
    for name, value in flat.items():
        outer, _, inner = name.partition(".")
        if inner:
            body.setdefault(outer, {})[inner] = value
        else:
            body[outer] = value
    return body


def with_faults(one: Input, faults: Mapping[str, Sequence[str]]) -> Input:
    return replace(one, faults=tuple(faults.get(one.name, ())))
