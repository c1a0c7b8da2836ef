"""One's own account: who one is, the password, API tokens."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from allauth.account.signals import password_changed
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from openbond.server.api.body import Body
from openbond.server.api.credentials import has_password
from openbond.server.api.fields import Flag, Text
from openbond.server.api.v3.users import UserBody
from openbond.server.errors import InvalidFields
from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import groups_of, tokens_of
from openbond.server.spaces.services import create_token, delete_token, update_user
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.rules import timezone_names
from openbond.server.system.selectors import current_settings
from openbond.server.web.form_faults import Faults, faults_of
from openbond.server.web.page import Page

WRONG = "This is not your password."
DIFFERENT = "The two are not alike."
NOT_A_DATE = "Give a date as YYYY-MM-DD."
DEFAULT_DAYS = 90
# What one may change of oneself, beside the password.
OWN = ("first_name", "last_name", "timezone")


class Account(Page):
    """Who one is. The name and the time zone are one's own to change; the rest is not."""

    def get(self, request: HttpRequest) -> HttpResponse:
        user = self.viewer.user
        return self._answer({name: getattr(user, name) for name in OWN})

    def post(self, request: HttpRequest) -> HttpResponse:
        given = {name: request.POST[name] for name in OWN if name in request.POST}
        body = UserBody(instance=self.viewer.user, data=given, partial=True)
        try:
            body.is_valid(raise_exception=True)
            taken = {name: body.validated_data[name] for name in given}
            update_user(by=self.viewer, user=self.viewer.user, **taken)
        except (InvalidFields, ValidationError) as refused:
            return self._answer(given, errors=faults_of(refused), status=400)
        messages.success(request, "Your account was changed.")
        return HttpResponseRedirect(reverse("account"))

    def _answer(
        self, values: Mapping[str, str], *, errors: Faults | None = None, status: int = 200
    ) -> HttpResponse:
        context = {
            "groups": groups_of(self.viewer.user),
            "values": values,
            "errors": errors,
            "zones": [(name, name) for name in sorted(timezone_names())],
        }
        return self.render("web/account/account.html", context, status=status)


class Password(Page):
    """A new password ends every other session."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render("web/account/password.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        faults = self._changed(request)
        if faults:
            return self.render("web/account/password.html", {"errors": faults}, status=400)
        messages.success(request, "Your password was changed. All other sessions have ended.")
        return HttpResponseRedirect(reverse("account"))

    def _changed(self, request: HttpRequest) -> Faults:
        user, given = self.viewer.user, request.POST
        if not has_password(user, given.get("current", "")):
            return {"current": [WRONG]}
        faults = set_password(given, by=self.viewer, user=user)
        if faults:
            return faults
        update_session_auth_hash(request, user)
        password_changed.send(sender=type(user), request=request, user=user)
        return {}


def set_password(given: QueryDict, *, by: Viewer, user: User) -> Faults:
    """Set the password that was sent, if it was sent twice alike; return what is wrong with it."""
    if given.get("password") != given.get("repeated"):
        return {"repeated": [DIFFERENT]}
    body = UserBody(instance=user, data={"password": given.get("password", "")}, partial=True)
    try:
        body.is_valid(raise_exception=True)
        update_user(by=by, user=user, password=body.validated_data["password"])
    except (InvalidFields, ValidationError) as refused:
        return faults_of(refused)
    return {}


class TokenBody(Body):
    name = Text(64, blank=False, required=True)
    read_only = Flag()  # type: ignore[assignment]  # every field has an attribute of that name


class Tokens(Page):
    """API tokens: made here, shown once, and never again."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer({})

    def post(self, request: HttpRequest) -> HttpResponse:
        body = TokenBody(data=request.POST)
        faults: Faults = {}
        expires = _end_of_day(request.POST.get("expires", ""), self.viewer.user.timezone)
        if not body.is_valid():
            faults |= faults_of(body.errors)
        if expires is None:
            faults["expires"] = [NOT_A_DATE]
        if faults or expires is None:
            return self._answer({"errors": faults}, status=400)
        try:
            issued = create_token(
                by=self.viewer,
                owner=self.viewer.user,
                name=body.validated_data["name"],
                expires=expires,
                read_only=body.validated_data.get("read_only", False),
            )
        except InvalidFields as refused:
            return self._answer({"errors": faults_of(refused)}, status=400)
        return self._answer({"issued": issued}, values=QueryDict())

    def _answer(
        self, more: dict[str, Any], *, values: QueryDict | None = None, status: int = 200
    ) -> HttpResponse:
        longest = current_settings().token_max_lifetime
        usual = self.now + timedelta(days=min(DEFAULT_DAYS, longest))
        context = {
            "tokens": tokens_of(self.viewer.user),
            "values": self.request.POST if values is None else values,
            "usual": f"{usual:%Y-%m-%d}",
            "longest": longest,
            "now": self.now,
            **more,
        }
        return self.render("web/account/tokens.html", context, status=status)


class RevokeToken(Page):
    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = tokens_of(self.viewer.user).filter(pk=pk).first()
        if token is None:
            raise Http404
        delete_token(by=self.viewer, token=token)
        messages.success(request, f"Token {token.name} is revoked. It ended at once.")
        return HttpResponseRedirect(reverse("tokens"))


def _end_of_day(text: str, zone: str) -> datetime | None:
    """Return the last second of a day where its reader lives; None for no date."""
    try:
        day = datetime.fromisoformat(text).date()
    except ValueError:
        return None
    return datetime.combine(day, time(23, 59, 59), tzinfo=ZoneInfo(zone))
