"""Describes for OPTIONS the fields that a caller may send (00-general.md, 8)."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from .fields import AnyField
from .relations import Relation

# The first class that fits names the type, so subclasses stand before what they derive from.
TYPES: list[tuple[type[AnyField], str]] = [
    (Relation, "field"),
    (serializers.BooleanField, "boolean"),
    (serializers.EmailField, "email"),
    (serializers.URLField, "url"),
    (serializers.SlugField, "slug"),
    (serializers.CharField, "string"),
    (serializers.IntegerField, "integer"),
    (serializers.DecimalField, "float"),
    (serializers.FloatField, "float"),
    (serializers.DateTimeField, "datetime"),
    (serializers.ChoiceField, "choice"),
    (serializers.BaseSerializer, "nested object"),
    (serializers.ListField, "list"),
    (serializers.DictField, "nested object"),
]
LIMITS = ("min_length", "max_length", "min_value", "max_value")

FieldInfo = dict[str, object]


def describe_fields(body: serializers.BaseSerializer[Any]) -> dict[str, FieldInfo]:
    fields: Mapping[str, AnyField] = getattr(body, "fields", {})
    return {name: describe_field(field) for name, field in fields.items()}


def describe_field(field: AnyField) -> FieldInfo:
    """Return what OPTIONS says of one field."""
    described: FieldInfo = {
        "type": type_of(field),
        "required": bool(field.required),
        "read_only": bool(field.read_only),
        "label": str(field.label or ""),
    }
    if field.help_text:
        described["help_text"] = str(field.help_text)
    for limit in LIMITS:
        value = getattr(field, limit, None)
        if value is not None:
            described[limit] = (
                float(value) if isinstance(field, serializers.DecimalField) else value
            )
    if _must_say_something(field):
        described.setdefault("min_length", 1)
    return described | _inner(field)


def _must_say_something(field: AnyField) -> bool:
    return (
        isinstance(field, serializers.CharField) and not field.read_only and not field.allow_blank
    )


def type_of(field: AnyField) -> str:
    if isinstance(field, serializers.ListSerializer):
        return "list"
    return next((name for kind, name in TYPES if isinstance(field, kind)), "field")


def _inner(field: AnyField) -> FieldInfo:
    if isinstance(field, serializers.ChoiceField):
        choices = field.choices.items()
        return {"choices": [{"value": value, "display_name": str(name)} for value, name in choices]}
    child = getattr(field, "child", None)
    if child is not None:
        return {"child": describe_field(child)}
    if isinstance(field, serializers.BaseSerializer):
        return {"children": describe_fields(field)}
    return {}
