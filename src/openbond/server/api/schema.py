"""Describes the API as OpenAPI 3, from the views, their bodies and their listings.

The views answer without serializers, so what they return is told here: the fields of a resource
are those of its body, a list is an array of them or a page, an action is what 00-general.md says.
"""

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from .body import Body
from .lists import COUNTED, WORDS, Filter, Listing

JSON_TYPE = "application/json"
FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}
NUMBER: Schema = {"type": "integer"}
OBJECT: Schema = {"type": "object", "additionalProperties": {}}
FAULTS: Schema = {
    "type": "object",
    "properties": {"detail": TEXT, "code": TEXT},
    "description": "`detail` and `code`; or, of invalid input, messages by field.",
    "additionalProperties": {},
}
QUEUED: Schema = {
    "type": "object",
    "properties": {"status": {"type": "string", "enum": ["queued"]}, "detail": TEXT},
    "required": ["status", "detail"],
    "additionalProperties": {},
}
# Handlers of actions that are done at once and answer with the object.
AT_ONCE = {"restore_to_primary_agg", "cancel", "accept", "decline"}
WRITES = {"create", "replace", "change"}
# What is there only after the first night.
MAY_BE_MISSING = {"/api/v3/system/status/backups/latest-backup/"}

REFUSALS = {
    400: "Not understood, invalid, or refused because of the state of things.",
    401: "No credentials, or unusable ones.",
    403: "Authenticated, but not allowed.",
    404: "Not there, out of reach, or no such page.",
    406: "Only application/json is served.",
    412: "The object has changed since it was read.",
    413: "The body is larger than 1 MiB.",
    415: "A body is JSON or a form.",
    500: "A fault of the server; its log has the reason under the request id.",
    503: "The server could not do it now; try again.",
}


class RelationField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A relation: read as a URL, written in any of the ways of 00-general.md, 6."""

    target_class = "openbond.server.api.relations.Relation"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Schema:
        if direction == "response":  # null where there is none, or where it is out of reach
            return {"type": "string", "format": "uri", "nullable": True}
        return {"anyOf": [TEXT, NUMBER, {"type": "object"}]}


class NumberField(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A number with decimals, which JSON has and REST framework would write as a string."""

    target_class = "openbond.server.api.fields.Number"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Schema:
        limits = {"minimum": self.target.min_value, "maximum": self.target.max_value}
        told = {name: float(value) for name, value in limits.items() if value is not None}
        return {"type": "number", **told}


class ContractSchema(AutoSchema):
    """One operation: a method of a URI."""

    # Every view of the API is a Door; the stubs know only what REST framework has.
    view: Any

    def get_operation_id(self) -> str:
        words = re.findall(r"[a-z_]+", self.path.removeprefix("/api/v3/"))
        return "_".join([self.method.lower(), *words]) if words else f"{self.method.lower()}_root"

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v3/").partition("/")[0] or "root"]

    def get_summary(self) -> str:
        return str(self.view.description or "")

    def get_description(self) -> str:  # type: ignore[override]  # as in drf-spectacular itself
        return str(type(self.view).__doc__ or "")

    def get_auth(self) -> list[Schema]:
        return [{"basic": []}, {"token": []}, {"session": []}]

    def _get_parameters(self) -> list[Schema]:
        names = re.findall(r"{(\w+)}", self.path)
        in_path = [_parameter(name, "path", self._path_type(name)) for name in names]
        in_query = self._query() if self.method == "GET" else []
        return [*in_path, *in_query, *self._headers()]

    def _path_type(self, name: str) -> Schema:
        is_space = name == "space" or self.path.startswith(f"/api/v3/spaces/{{{name}}}/")
        return TEXT if is_space else NUMBER

    def _query(self) -> list[Schema]:
        left_out = _parameter("exclude_fields", "query", TEXT)
        if self.view.action != "list_all":
            return [left_out]
        pages = [_parameter(name, "query", dict(COUNTED)) for name in ("page", "page_size")]
        words = [_parameter(name, "query", dict(WORDS)) for name in ("search", "ordering")]
        filters = [_parameter(name, "query", form) for name, form in _filters(self.view).items()]
        return [left_out, *pages, *words, *filters]

    def _headers(self) -> list[Schema]:
        is_conditional = self.method in {"PUT", "PATCH", "DELETE"}
        return [_parameter("If-Match", "header", TEXT)] if is_conditional else []

    def _get_request_body(self, direction: Any = "request") -> Schema | None:
        body = self._body()
        if body is None or self.view.action not in WRITES:
            return None
        component = self.resolve_serializer(body(partial=self.method == "PATCH"), "request")
        if not component:  # a body of read-only fields alone: nothing is sent
            return None
        kinds = (JSON_TYPE, *FORM_TYPES)
        content: Schema = {kind: {"schema": component.ref} for kind in kinds}
        is_needed = bool(component.schema.get("required"))
        return {"content": content, **({"required": True} if is_needed else {})}

    def _get_response_bodies(self, direction: Any = "response") -> Schema:
        refused = {str(status): _answer(REFUSALS[status], FAULTS) for status in self._refusals()}
        return {**self._success(), **refused}

    def _refusals(self) -> list[int]:
        """Return the statuses of 00-general.md, 9 that this operation can be refused with."""
        view = self.view
        statuses = {400, 401, 406, 500, 503}
        needs_more = view.action in view.codes or view.action in view.root_only
        if needs_more or self.method != "GET":  # a write also by a token that may only read
            statuses.add(403)
        if "{" in self.path or view.action == "list_all" or self.path in MAY_BE_MISSING:
            statuses.add(404)
        if self.method in {"PUT", "PATCH", "DELETE"}:
            statuses.add(412)
        if view.action in WRITES:
            statuses |= {413, 415}
        return sorted(statuses)

    def _success(self) -> Schema:
        handler = self.view.action
        if handler == "remove":
            return {"204": {"description": "Deleted."}}
        if handler == "list_all":
            return {"200": _answer("All of them, or a page.", self._list())}
        if handler == "create":
            return {"201": _answer("Made.", self._object())}
        if self.method == "POST" and handler not in AT_ONCE:
            return {"202": _answer("Queued, not done yet.", QUEUED)}
        return {"200": _answer("As asked.", self._object())}

    def _list(self) -> Schema:
        every: Schema = {"type": "array", "items": self._object()}
        page: Schema = {
            "type": "object",
            "properties": {
                "count": NUMBER,
                "next": {"type": "string", "nullable": True},
                "previous": {"type": "string", "nullable": True},
                "results": every,
            },
            "required": ["count", "next", "previous", "results"],
        }
        return {"anyOf": [every, page]}

    def _object(self) -> Schema:
        body = self._body()
        if body is None:
            answers: Schema = self.view.answers
            return answers
        ref: Schema = self.resolve_serializer(body(), "response").ref
        return ref

    def _body(self) -> type[Body] | None:
        return getattr(self.view, "body", None)

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Schema:
        """Fields may be left out by `exclude_fields`, and secrets by permission."""
        schema: Schema = super()._map_basic_serializer(  # type: ignore[no-untyped-call]
            serializer, direction
        )
        if direction == "response":
            schema.pop("required", None)
        return schema

    def _map_serializer_field(
        self, field: Any, direction: Any, bypass_extensions: bool = False
    ) -> Schema:
        inner = getattr(field, "of", None)
        if inner is not None:
            # Objects inside others are never written, so their body is that of an answer.
            return {"type": "array", "items": self.resolve_serializer(inner(), "response").ref}
        schema: Schema = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, bypass_extensions
        )
        if isinstance(field, serializers.DictField) and field.allow_null:
            return {**schema, "nullable": True}
        return schema


def _filters(view: Any) -> dict[str, Schema]:
    listing: Listing | None = getattr(view, "listing", None)
    filters: Mapping[str, Filter] = listing.filters if listing else view.filters
    return {name: dict(rule.form) for name, rule in filters.items()}


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": schema, **required}


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {JSON_TYPE: {"schema": schema}}}
