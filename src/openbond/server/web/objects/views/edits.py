"""Pages that make, change and delete one object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.http import HttpResponse, QueryDict

from openbond.server.api.in_process import Answer, answer_of
from openbond.server.api.resource import Resource, Shown
from openbond.server.system.cascades import goes_with
from openbond.server.web.objects.forms import (
    MINE,
    TAKE,
    THEIRS,
    Form,
    change,
    edit_form,
    make,
    new_form,
    opened_in,
    writing_door,
)
from openbond.server.web.objects.hints import hints_of
from openbond.server.web.objects.inputs import Input, Typed
from openbond.server.web.objects.names import called, site_path

from .base import SheetPage, name_of

BEFORE = "_before"
CHANGED = 412
CHOOSE = "Choose one of the two."


class NewPage(SheetPage):
    """The form of an object to be made."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        form = new_form(self.sheet, self.viewer, path, self._given(request.GET))
        return self.show(form)

    def post(self, request: Any, **path: object) -> HttpResponse:
        form, answer = make(new_form(self.sheet, self.viewer, path, {}).typed(request.POST), path)
        if not answer.is_good:
            self.raise_for(answer)
            return self.show(form)
        self.say(f"{name_of(self.sheet, answer.data)} was made.")
        return self.go(site_path(answer.data["url"]))

    def show(self, form: Form) -> HttpResponse:
        context = {
            "page": self,
            "sheet": self.sheet,
            "form": form,
            "title": f"New {self.sheet.one}",
            "button": f"Make {self.sheet.one}",
            "hints": hints_of(self.sheet, self.viewer, self.path),
            "back": self.list_url(),
            "crumbs": self.crumbs((self.sheet.title, self.list_url())),
        }
        return self.render("web/objects/form.html", context, status=400 if form.is_faulty else 200)

    def _given(self, query: QueryDict) -> Mapping[str, str]:
        """Return what a link fills in already, and the space that is looked at."""
        given = {name: value for name, value in query.items() if isinstance(value, str)}
        if self.space.pk != self.viewer.user.space_id:
            given.setdefault("space", called(self.space.name, self.space.pk))
        return given


class EditPage(SheetPage):
    """The form of an object that is there."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        form, shown = edit_form(self.sheet, self.viewer, path)
        return self.show(form, shown)

    def post(self, request: Any, **path: object) -> HttpResponse:
        now, shown = edit_form(self.sheet, self.viewer, path)
        sent = now.typed(request.POST)
        settled, undecided = _settled(sent, request.POST)
        if undecided:
            before = opened_in(request.POST, BEFORE, {})
            return self.show_conflict(settled, now, shown, before, undecided)
        if not settled.changed:
            self.say("Nothing was changed.")
            return self.go(self.object_url())
        form, answer = change(settled, path)
        if answer.status == CHANGED:
            return self.show_conflict(settled, now, shown, settled.opened, {})
        if not answer.is_good:
            self.raise_for(answer)
            return self.show(form, shown)
        self.say(f"{name_of(self.sheet, answer.data)} was changed.")
        return self.go(site_path(answer.data["url"]))

    def show(self, form: Form, shown: Shown) -> HttpResponse:
        context = {
            "page": self,
            "sheet": self.sheet,
            "form": form,
            "title": f"Edit {self.called(shown)}",
            "button": "Save",
            "back": self.object_url(),
            "crumbs": self._crumbs(shown),
        }
        return self.render("web/objects/form.html", context, status=400 if form.is_faulty else 200)

    def show_conflict(
        self,
        typed: Form,
        now: Form,
        shown: Shown,
        before: Mapping[str, Typed],
        undecided: Mapping[str, str],
    ) -> HttpResponse:
        """Show what was opened, what is there now, and what was typed. Nothing is written."""
        lines = conflict_lines(typed, now, before, undecided)
        context = {
            "page": self,
            "sheet": self.sheet,
            "title": self.called(shown),
            "lines": lines,
            "clashes": " ".join(f"{TAKE}.{line.mine.name}" for line in lines if line.is_clash),
            "before": json.dumps(dict(before)),
            "form": replace(now, inputs=_kept_of(typed, now, before)),
            "back": self.object_url(),
            "crumbs": self._crumbs(shown),
        }
        return self.render("web/objects/conflict.html", context, status=CHANGED)

    def _crumbs(self, shown: Shown) -> list[tuple[str, str]]:
        return self.crumbs(
            (self.sheet.title, self.list_url()), (self.called(shown), self.object_url())
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that somebody changed: as it was opened, as it is now, as it was typed."""

    mine: Input
    opened: str
    now: str
    # Both changed it, and differently: one must be chosen.
    is_clash: bool
    is_mine: bool
    fault: str = ""


def conflict_lines(
    typed: Form, now: Form, before: Mapping[str, Typed], undecided: Mapping[str, str]
) -> list[Difference]:
    """Return the values that either of the two has changed since `before`."""
    lines = []
    current = {one.name: one for one in now.inputs}
    for one in typed.inputs:
        there = current[one.name]
        start = before.get(one.name, "")
        is_theirs = there.typed != start and one.kind != "secret"
        is_mine = one.typed not in (start, there.typed)
        if one.is_fixed or not (is_mine or is_theirs):
            continue
        lines.append(
            Difference(
                mine=one,
                opened=_words(one, start),
                now=there.in_words,
                is_clash=is_mine and is_theirs,
                is_mine=is_mine,
                fault=undecided.get(one.name, ""),
            )
        )
    return lines


def _kept_of(typed: Form, now: Form, before: Mapping[str, Typed]) -> tuple[Input, ...]:
    """Return what the form goes on with: what was typed, and else what is there now."""
    current = {one.name: one for one in now.inputs}
    return tuple(
        one if one.typed != before.get(one.name, "") else current[one.name] for one in typed.inputs
    )


def _settled(sent: Form, form: QueryDict) -> tuple[Form, dict[str, str]]:
    """Return the form with what was chosen in a conflict, and what was not decided there."""
    undecided = {}
    inputs = []
    for one in sent.inputs:
        choice = form.get(f"{TAKE}.{one.name}")
        if choice == THEIRS:
            one = replace(one, typed=sent.opened.get(one.name, ""))
        elif choice not in {None, MINE} or (
            choice is None and f"{TAKE}.{one.name}" in form.get("_clashes", "").split()
        ):
            undecided[one.name] = CHOOSE
        inputs.append(one)
    return replace(sent, inputs=tuple(inputs)), undecided


def _words(one: Input, typed: Typed) -> str:
    return replace(one, typed=typed).in_words


class DeletePage(SheetPage):
    """Says what goes with an object, or why it stays; POST deletes it."""

    def get(self, request: Any, **path: object) -> HttpResponse:
        door, row, shown = self._found()
        with transaction.atomic():
            refusal = self._try(self._etag(door, row, shown))
            transaction.set_rollback(True)
        return self.show(shown, row, refusal, self._etag(door, row, shown))

    def post(self, request: Any, **path: object) -> HttpResponse:
        door, row, shown = self._found()
        answer = self._try(request.POST.get("_etag", "") or "-")
        self.raise_for(answer)
        if not answer.is_good:
            return self.show(shown, row, answer, self._etag(door, row, shown), status=answer.status)
        self.say(f"{self.called(shown)} was deleted.")
        return self.go(self.list_url())

    def show(
        self, shown: Shown, row: Any, answer: Answer, etag: str, *, status: int = 200
    ) -> HttpResponse:
        context = {
            "page": self,
            "sheet": self.sheet,
            "title": self.called(shown),
            "refusal": "" if answer.is_good else answer.words,
            "is_stale": answer.status == CHANGED,
            "goes_with": goes_with(row),
            "etag": etag,
            "back": self.object_url(),
            "crumbs": self.crumbs(
                (self.sheet.title, self.list_url()), (self.called(shown), self.object_url())
            ),
        }
        return self.render("web/objects/delete.html", context, status=status)

    def _found(self) -> tuple[Resource[Any], Any, Shown]:
        door = writing_door(self.sheet, self.viewer, self.path, "remove")
        row = door.find()
        door.check_writable(row)
        return door, row, door.shown(row)

    def _etag(self, door: Resource[Any], row: Any, shown: Shown) -> str:
        return door.etag(row, shown)

    def _try(self, etag: str) -> Answer:
        door = writing_door(self.sheet, self.viewer, self.path, "remove", if_match=etag)
        return answer_of(door, "remove")
