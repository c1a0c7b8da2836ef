"""A form that makes or changes one object: what stands in it, what is sent, what was refused.

The form of an object carries its ETag and what stood in each input when it was opened. Only what
was changed since is sent; and if somebody else has changed the object meanwhile, the API says so.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import NOT_PROVIDED
from django.http import Http404, QueryDict

from openbond.server.api.in_process import Answer, answer_of, opened
from openbond.server.api.resource import Resource, Shown
from openbond.server.spaces.viewer import Viewer

from .cells import label
from .declaring import Sheet
from .inputs import (
    Input,
    Typed,
    input_of,
    nested,
    sent_value,
    typed_in,
    typed_of,
    value_in,
    with_choices,
    with_faults,
    written_fields,
)
from .names import Names
from .units import COLUMNS, number, same

ETAG, OPENED, TAKE = "_etag", "_opened", "_take"
WHOLE = "non_field_errors"
MINE, THEIRS = "mine", "theirs"
NOBODY = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Inputs that stand together."""

    title: str
    inputs: list[Input]


@dataclass(frozen=True, slots=True)
class Form:
    """The inputs of one object, or of one to be made (`row` is None)."""

    sheet: Sheet
    viewer: Viewer
    inputs: tuple[Input, ...]
    etag: str = ""
    opened: Mapping[str, Typed] = field(default_factory=dict)
    # What is wrong with the whole, or with fields that have no input here.
    faults: tuple[str, ...] = ()

    @property
    def parts(self) -> list[Part]:
        left = {one.name: one for one in self.inputs}
        parts = []
        for group in self.sheet.groups:
            names = [
                name
                for name in left
                if name in group.names or name.partition(".")[0] in group.names
            ]
            order = {name: at for at, name in enumerate(group.names)}
            names.sort(key=lambda name: order.get(name.partition(".")[0], 0))
            inputs = [left.pop(name) for name in names]
            if inputs:
                parts.append(Part(group.title, inputs))
        rest = list(left.values())
        return [*parts, Part("More", rest)] if rest else parts

    @property
    def opened_text(self) -> str:
        return json.dumps(dict(self.opened), separators=(",", ":"), sort_keys=True)

    @property
    def faulty(self) -> list[Input]:
        return [one for one in self.inputs if one.faults]

    @property
    def is_faulty(self) -> bool:
        return bool(self.faults or self.faulty)

    @property
    def changed(self) -> list[Input]:
        """The inputs where something else stands than when the form was opened."""
        return [
            one
            for one in self.inputs
            if not one.is_fixed and one.typed != self.opened.get(one.name, "")
        ]

    def refused(self, answer: Answer, named: Mapping[str, list[str]] | None = None) -> "Form":
        """Return the form with what the API says against it, beside each field.

        `named`: what the site itself says of fields that name nothing.
        """
        faults = answer.faults | dict(named or {})
        known = {one.name for one in self.inputs}
        whole = [*faults.get(WHOLE, []), *([answer.words] if not faults else [])]
        whole += [
            f"{label(name)}: {text}"
            for name, texts in faults.items()
            if name not in known and name != WHOLE
            for text in texts
        ]
        inputs = tuple(with_faults(one, faults) for one in self.inputs)
        return replace(self, inputs=inputs, faults=tuple(whole))

    def typed(self, form: QueryDict) -> "Form":
        """Return the form as it was sent."""
        inputs = tuple(
            one if one.is_fixed else replace(one, typed=typed_in(one, form)) for one in self.inputs
        )
        return replace(
            self,
            inputs=inputs,
            etag=form.get(ETAG, ""),
            opened=opened_in(form, OPENED, self.opened),
        )

    def body(self, inputs: Sequence[Input]) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """Return what to send for these inputs, and what names nothing by field.

        What names nothing is sent as an id that nothing has: the API refuses it, together with
        everything else that is wrong.
        """
        flat: dict[str, object] = {}
        faults: dict[str, list[str]] = {}
        for one in inputs:
            value, fault = sent_value(one, self.viewer)
            if fault:
                faults[one.name] = [fault]
            flat[one.name] = NOBODY if fault else value
        return nested(flat), faults


def new_form(
    sheet: Sheet, viewer: Viewer, path: Mapping[str, object], given: Mapping[str, str]
) -> Form:
    """Return the form of an object to be made: defaults, and values `given` by a link."""
    door = writing_door(sheet, viewer, path, "create")
    model = door.rows().model
    inputs = []
    for name, one_field, _ in written_fields(door, row=None, viewer=viewer):
        one = input_of(name, one_field, sheet, is_new=True, is_fixed=False)
        start = given.get(name, _default(model, name))
        inputs.append(with_choices(replace(one, typed=[] if one.kind == "many" else start), viewer))
    return Form(sheet=sheet, viewer=viewer, inputs=tuple(inputs))


def edit_form(sheet: Sheet, viewer: Viewer, path: Mapping[str, object]) -> tuple[Form, Shown]:
    """Return the form of an object as it is now, and the object. Raises Http404, Forbidden."""
    door = writing_door(sheet, viewer, path, "change")
    row = door.find()
    door.check_writable(row)
    shown = door.shown(row)
    names = Names(viewer)
    fields = list(written_fields(door, row=row, viewer=viewer))
    for name, _, _ in fields:
        names.want(value_in(shown, name))
    inputs = []
    for name, one_field, is_fixed in fields:
        one = input_of(name, one_field, sheet, is_new=False, is_fixed=is_fixed)
        one = replace(one, typed=typed_of(one, value_in(shown, name), names))
        inputs.append(one if is_fixed else with_choices(one, viewer))
    start = {one.name: one.typed for one in inputs if one.kind != "secret"}
    form = Form(
        sheet=sheet,
        viewer=viewer,
        inputs=tuple(inputs),
        etag=door.etag(row, shown),
        opened=start,
    )
    return form, shown


def make(form: Form, path: Mapping[str, object]) -> tuple[Form, Answer]:
    """Make the object; return the form with what is wrong, and the answer."""
    filled = [one for one in form.inputs if one.typed not in ("", [])]
    body, faults = form.body(filled)
    door = writing_door(form.sheet, form.viewer, path, "create", sent=body)
    answer = answer_of(door, "create")
    return (form, answer) if answer.is_good else (form.refused(answer, faults), answer)


def change(
    form: Form, path: Mapping[str, object], *, only: Sequence[Input] | None = None
) -> tuple[Form, Answer]:
    """Write what was changed, if nobody else changed the object since; 412 says that one did."""
    body, faults = form.body(form.changed if only is None else only)
    door = writing_door(
        form.sheet, form.viewer, path, "change", sent=body, if_match=form.etag or "-"
    )
    answer = answer_of(door, "change")
    return (form, answer) if answer.is_good else (form.refused(answer, faults), answer)


def writing_door(
    sheet: Sheet,
    viewer: Viewer,
    path: Mapping[str, object],
    handler: str,
    *,
    sent: Mapping[str, object] | None = None,
    if_match: str = "",
) -> Resource[Any]:
    """Return the resource, ready for a write. Raises Http404 where the API has no such handler."""
    place = sheet.place
    handlers = place.of_list if handler == "create" else place.of_object
    door = opened(place.view, viewer, handlers=handlers, path=path, sent=sent, if_match=if_match)
    if handler not in handlers.values() or not isinstance(door, Resource):
        raise Http404
    door.check_permission(handler)
    return door


def _default(model: Any, name: str) -> str:
    """Return what a new row has in the column of a field, as it stands in an input."""
    known = {column.name: column for column in model._meta.concrete_fields}
    column, unit = (name, same) if name in known else COLUMNS.get(name, (name, same))
    default = getattr(known.get(column), "default", NOT_PROVIDED)
    if default is NOT_PROVIDED or default is None or callable(default):
        return ""
    if isinstance(default, bool):
        return "true" if default else "false"
    return number(unit(default))


def opened_in(form: QueryDict, name: str, usual: Mapping[str, Typed]) -> Mapping[str, Typed]:
    """Return what stood in the form when it was opened, as it says itself."""
    try:
        found = json.loads(form.get(name, ""))
    except ValueError:
        return usual
    if not isinstance(found, dict):
        return usual
    return {
        str(name): value
        for name, value in found.items()
        if isinstance(value, str)
        or (isinstance(value, list) and all(isinstance(each, str) for each in value))
    }
