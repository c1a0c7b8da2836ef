"""The form of the settings: the API's fields, checks and permission, each with its meaning."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import Truncator
from rest_framework.exceptions import ValidationError

from openbond.server.api.fields import Flag
from openbond.server.api.in_process import Answer, answer_of, opened
from openbond.server.api.v3.settings import SettingsBody, SettingsObject
from openbond.server.errors import WHOLE, Forbidden
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.rules import timezone_names
from openbond.server.web.objects.forms import Form
from openbond.server.web.objects.inputs import (
    Input,
    Typed,
    input_of,
    typed_of,
    with_choices,
    with_faults,
)
from openbond.server.web.objects.names import Names
from openbond.server.web.page import Page

from .setting_words import LINES, NETWORKS, SETTINGS

CHANGED = 412
HANDLERS = {"get": "retrieve", "patch": "change"}
MEANWHILE = "Somebody else set this to “{value}” meanwhile. Save again if yours shall stand."


class SiteSettingsBody(SettingsBody):
    """Those of the API, and two that version 3 of it has not (behaviour 6.12)."""

    failover_ask_bonders = Flag()
    failover_to_primary = Flag()


class SiteSettings(SettingsObject):
    body = SiteSettingsBody


class SettingsPage(Page):
    """Shows the settings, and changes them for whoever may."""

    code = "view_settings"
    root_only = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._show(form_now(self.viewer))

    def post(self, request: HttpRequest) -> HttpResponse:
        self.viewer.require("change_settings")
        now = form_now(self.viewer)
        sent = now.typed(request.POST)
        if not sent.changed:
            return self._saved("Nothing was changed.")
        answer = answer_of(_door(self.viewer, sent), "change")
        if answer.is_good:
            return self._saved("The settings were changed. They act from now on.")
        if answer.status == 403:
            raise Forbidden(answer.words)
        form = merged(sent, now) if answer.status == CHANGED else refused(sent, answer)
        return self._show(form, status=answer.status if answer.status == CHANGED else 400)

    def _saved(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return HttpResponseRedirect(reverse("settings"))

    def _show(self, form: Form, *, status: int = 200) -> HttpResponse:
        may_change = self.viewer.can("change_settings")
        if not may_change:
            fixed = tuple(replace(one, is_fixed=True) for one in form.inputs)
            form = replace(form, inputs=fixed)
        context = {"form": form, "sheet": SETTINGS, "may_change": may_change}
        return self.render("web/system/settings.html", context, status=status)


def form_now(viewer: Viewer) -> Form:
    """Return the form with what the settings are now."""
    answer = answer_of(opened(SiteSettings, viewer, handlers=HANDLERS), "retrieve")
    shown: Mapping[str, Any] = answer.data
    names = Names(viewer)
    inputs = tuple(
        _input(name, field, shown.get(name), names, viewer)
        for name, field in SiteSettingsBody().fields.items()
    )
    start: dict[str, Typed] = {one.name: one.typed for one in inputs if not one.is_fixed}
    return Form(sheet=SETTINGS, viewer=viewer, inputs=inputs, etag=answer.etag, opened=start)


def _input(name: str, field: Any, value: object, names: Names, viewer: Viewer) -> Input:
    one = input_of(name, field, SETTINGS, is_new=False, is_fixed=name in NETWORKS)
    if name in LINES:
        lines = value if isinstance(value, list) else []
        return replace(one, kind="area", typed="\n".join(map(str, lines)))
    one = replace(one, typed=typed_of(one, value, names))
    if name == "timezone":
        choices = tuple((each, each) for each in sorted(timezone_names()))
        return replace(one, kind="choice", choices=choices)
    return one if one.is_fixed else with_choices(one, viewer)


def _door(viewer: Viewer, form: Form) -> SiteSettings:
    body, _ = form.body(form.changed)
    for name in LINES & body.keys():
        body[name] = [line.strip() for line in str(body[name]).split("\n") if line.strip()]
    etag = form.etag or "-"
    return opened(SiteSettings, viewer, handlers=HANDLERS, sent=body, if_match=etag)


def refused(sent: Form, answer: Answer) -> Form:
    """Return the form with what is wrong beside each field."""
    faults = dict(answer.faults)
    whole = tuple(faults.pop(WHOLE, [])) or (() if faults else (answer.words,))
    for one in sent.inputs:
        if one.name in LINES and one.name in faults:
            faults[one.name] = faults_by_line(one) or faults[one.name]
    inputs = tuple(with_faults(one, faults) for one in sent.inputs)
    return replace(sent, inputs=inputs, faults=whole)


def faults_by_line(one: Input) -> list[str]:
    """Return what is wrong with each line of a list; nothing where only the whole of it is."""
    found = []
    for number, line in enumerate(str(one.typed).split("\n"), start=1):
        try:
            if line.strip():
                one.field.child.run_validation(line.strip())  # type: ignore[attr-defined]
        except ValidationError as fault:
            found += [
                f"Line {number}, “{Truncator(line.strip()).chars(40)}”: {text}"
                for text in fault.detail
            ]
    return found


def merged(sent: Form, now: Form) -> Form:
    """Return the form after somebody else has saved: his values where this one typed nothing.

    Where both did, it says so. Saved again, it is what was typed here that stands.
    """
    current = {one.name: one for one in now.inputs}
    inputs = tuple(
        _of_both(one, current[one.name], sent.opened.get(one.name, "")) for one in sent.inputs
    )
    words = ("Somebody else has changed the settings since you opened them. Look, and save again.",)
    return replace(sent, inputs=inputs, etag=now.etag, opened=now.opened, faults=words)


def _of_both(typed: Input, now: Input, before: Typed) -> Input:
    if typed.is_fixed or typed.typed == before:
        return now
    if now.typed in (before, typed.typed) or now.kind == "secret":
        return typed
    return replace(typed, faults=(MEANWHILE.format(value=now.in_words),))
