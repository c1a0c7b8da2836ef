"""Pages of whoever has no password yet, or forgot it: a link goes to the account's own address."""

from typing import Any

from allauth.account.signals import password_reset
from allauth.core import ratelimit
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views import View

from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import user_by_login, viewer_for
from openbond.server.spaces.services import mail_password_link, user_of_link
from openbond.server.system.selectors import current_settings
from openbond.server.web.form_faults import Faults
from openbond.server.web.objects.declaring import Action
from openbond.server.web.objects.views.base import SheetPage
from openbond.server.web.objects.views.details import DetailPage

from .views import set_password

EMPTY = "Give the e-mail address of your account."
ON_ITS_WAY = "If there is an account with this address, a mail with a link is on its way to it."
NO_SENDER = "This server sends no mail: no sender is set, see the settings."
MAIL_LINK = Action(
    "password-mail",
    "Mail a password link",
    "A link goes to the address of the account. Whoever opens it within a day sets the password; "
    "until then the password stays as it is.",
)


class ForgottenPassword(View):
    """Asks for an address. What is answered does not tell whether it has an account."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._answer(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        email = request.POST.get("email", "").strip()
        if "@" not in email or "\0" in email:
            return self._answer(request, errors={"email": [EMPTY]}, status=400)
        refusal: HttpResponse | None = ratelimit.consume_or_429(
            request, action="reset_password", key=email.lower()
        )
        if refusal is not None:
            return refusal
        user = user_by_login(email)
        if user is not None:
            mail_password_link(user=user, now=timezone.now())
        messages.success(request, ON_ITS_WAY)
        return HttpResponseRedirect(reverse("account_login"))

    def _answer(
        self, request: HttpRequest, *, errors: Faults | None = None, status: int = 200
    ) -> HttpResponse:
        context = {
            "errors": errors,
            "values": request.POST,
            "can_send": bool(current_settings().email_from),
        }
        return render(request, "web/account/forgotten.html", context, status=status)


class NewPassword(View):
    """What a mailed link opens: sets the password of its account, and signs nobody in."""

    def get(self, request: HttpRequest, user: int, token: str) -> HttpResponse:
        return self._answer(request, user_of_link(user, token))

    def post(self, request: HttpRequest, user: int, token: str) -> HttpResponse:
        found = user_of_link(user, token)
        if found is None:
            return self._answer(request, None)
        by = viewer_for(found, origin=request.META.get("REMOTE_ADDR", ""))
        faults = set_password(request.POST, by=by, user=found)
        if faults:
            return self._answer(request, found, errors=faults, status=400)
        password_reset.send(sender=User, request=request, user=found)
        messages.success(request, "Your password is set. Sign in with it.")
        return HttpResponseRedirect(reverse("account_login"))

    def _answer(
        self,
        request: HttpRequest,
        user: User | None,
        *,
        errors: Faults | None = None,
        status: int = 200,
    ) -> HttpResponse:
        context = {"account": user, "errors": errors}
        status = status if user is not None else 404
        return render(request, "web/account/new_password.html", context, status=status)


class UserPage(DetailPage):
    """The page of a user, with the way to mail him a link."""

    template = "web/account/user.html"


class PasswordMail(SheetPage):
    """Asks before a link is mailed to a user; POST does it."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._user()
        context = {
            "page": self,
            "sheet": self.sheet,
            "action": MAIL_LINK,
            "title": user.email,
            "crumbs": self.crumbs(
                (self.sheet.title, self.list_url()), (user.email, self.object_url())
            ),
            "here": self.object_url(),
        }
        return self.render("web/objects/action.html", context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = self._user()
        if not current_settings().email_from:
            self.complain(NO_SENDER)
        elif mail_password_link(user=user, now=self.now):
            self.say(f"A link is on its way to {user.email}.")
        else:
            self.complain("No link was sent: the account is not active, or it just got one.")
        return self.go(self.object_url())

    def _user(self) -> User:
        """Return whose page it is, for whoever may change him."""
        door: Any = self.door
        door.check_permission("change")
        user: User = door.find()
        door.check_writable(user)
        return user
