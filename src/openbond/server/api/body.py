"""What a client may send to a resource: the contract's field table, as a serializer."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Model
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from openbond.server.errors import Forbidden

from .fields import AnyField, JsonValue

CANNOT_CHANGE = "This field cannot be changed."


class Body(serializers.Serializer[Model]):
    """All fields of a resource, in the order of its table; those not `read_only` are taken.

    It only checks input. `post_only` names fields that must be present on POST but not on PUT;
    `fixed` those that PUT and PATCH may repeat but not change; `secret` those that need a code
    of their own to be written.
    """

    post_only: ClassVar[frozenset[str]] = frozenset()
    fixed: ClassVar[frozenset[str]] = frozenset()
    secret: ClassVar[frozenset[str]] = frozenset()
    cannot_change: ClassVar[str] = CANNOT_CHANGE

    def get_fields(self) -> dict[str, AnyField]:
        fields = super().get_fields()
        if self.instance is not None:
            for name in self.post_only:
                fields[name].required = False
        return fields

    def to_internal_value(self, data: JsonValue) -> dict[str, Any]:
        if isinstance(data, QueryDict):
            data = self._from_form(data)
        values: dict[str, Any] = super().to_internal_value(data)
        return values

    def _from_form(self, form: QueryDict) -> dict[str, JsonValue]:
        """A form has no null and no nesting: see 00-general.md, 4.3."""
        given: dict[str, JsonValue] = {}
        for name, field in self.fields.items():
            if name not in form or isinstance(field, serializers.BaseSerializer):
                continue
            if isinstance(field, serializers.ListField):
                given[name] = [value for value in form.getlist(name) if value != ""]
            else:
                given[name] = None if field.allow_null and form[name] == "" else form[name]
        return given


def checked(
    body: Body, shown: Mapping[str, object] | None = None, *, may_write_secrets: bool = True
) -> dict[str, Any]:
    """Return the fields sent, validated. `shown` is the object as its caller sees it.

    A secret that the caller may read but not write may be repeated, so that what was read can be
    put back. Raises ValidationError with every fault found, and Forbidden for a secret out of
    bounds.
    """
    sent, shown = body.initial_data, shown or {}
    repeated = set() if may_write_secrets else body.secret & sent.keys()
    if any(name not in shown or sent[name] != shown[name] for name in repeated):
        raise Forbidden
    body.is_valid(raise_exception=True)
    fields = {name: value for name, value in body.validated_data.items() if name not in repeated}
    return _without_fixed(body, fields, shown) if body.instance is not None else fields


def _without_fixed(
    body: Body, fields: dict[str, Any], shown: Mapping[str, object]
) -> dict[str, Any]:
    faults = {}
    for name in body.fixed & fields.keys():
        value = fields.pop(name)
        if not _repeats(value, shown.get(name)):
            faults[name] = [body.cannot_change]
    if faults:
        raise ValidationError(faults)
    return fields


def _repeats(value: object, shown: object) -> bool:
    if isinstance(value, Model):
        return isinstance(shown, str) and shown.rstrip("/").rpartition("/")[2] == str(value.pk)
    return value == shown
