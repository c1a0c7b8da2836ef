"""The first page of a new installation: makes its administrator, and closes itself for ever.

Whoever wants in must know the code that the server prints at its start. An address would prove
nothing: behind a proxy on the same machine everybody comes from the loopback.
"""

import time
from typing import Any

from allauth.account.views import LoginView
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views import View

from openbond.server.api.authentication import login_delays
from openbond.server.api.v3.users import UserBody
from openbond.server.control.django_desk import ANSWER_AFTER
from openbond.server.control.installation import (
    FirstAdministrator,
    create_first_administrator,
    is_first_run_code,
)
from openbond.server.errors import InvalidFields
from openbond.server.spaces.selectors import has_users
from openbond.server.web.form_faults import Faults, faults_of

WRONG_CODE = "This is not the code that the server printed at its start."
DIFFERENT = "The two are not alike."


class FirstRun(View):
    """Asks for the first administrator; does not exist once there is a user."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if has_users():
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "web/account/first_run.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        faults = _made(request)
        if faults:
            context = {"errors": faults, "values": request.POST}
            return render(request, "web/account/first_run.html", context, status=400)
        messages.success(request, "You are the administrator. Sign in.")
        return HttpResponseRedirect(reverse("account_login"))


class SignIn(LoginView):  # type: ignore[misc]  # allauth is not typed
    """allauth's page; where nobody could sign in, the first page instead."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "GET" and not has_users():
            return HttpResponseRedirect(reverse("first_run"))
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer


def _made(request: HttpRequest) -> Faults:
    """Make the administrator; return what is wrong with what was sent."""
    given, address = request.POST, request.META.get("REMOTE_ADDR", "")
    if not is_first_run_code(given.get("code", "")):
        now = time.monotonic()
        delay = login_delays.on_failure(address=address, account="first run", now=now)
        request.META[ANSWER_AFTER] = delay
        return {"code": [WRONG_CODE]}
    sent = {"email": given.get("email"), "password": given.get("password")}
    body = UserBody(data=sent, partial=True)
    faults = {} if body.is_valid() else faults_of(body.errors)
    if given.get("password") != given.get("repeated"):
        faults["repeated"] = [DIFFERENT]
    if faults:
        return faults
    administrator = FirstAdministrator(**body.validated_data)
    try:
        made = create_first_administrator(administrator=administrator, origin=address)
    except InvalidFields as refused:
        return faults_of(refused.fields)
    if not made:
        raise Http404
    return {}
