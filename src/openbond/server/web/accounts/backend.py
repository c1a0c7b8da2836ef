"""How somebody signs in with a password: the same accounts, rules and delays as the API's."""

import time

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from openbond.server.api.authentication import login_delays
from openbond.server.api.credentials import has_password
from openbond.server.control.django_desk import ANSWER_AFTER
from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import user_by_id, user_by_login


class AccountBackend(BaseBackend):
    """E-mail address or user name, and password. Failures wait as those of the API do."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        email: str | None = None,
        **more: object,
    ) -> User | None:
        login, given = email or username or "", password or ""
        user = None if "\0" in login else user_by_login(login)
        if has_password(user if user is not None and user.active else None, given):
            login_delays.on_success(account=login)
            return user
        if request is not None:
            address = request.META.get("REMOTE_ADDR", "")
            request.META[ANSWER_AFTER] = login_delays.on_failure(
                address=address, account=login, now=time.monotonic()
            )
        return None

    def get_user(self, user_id: int) -> User | None:
        """Return whose session it is, with his space: every page shows it."""
        user = user_by_id(user_id)
        return user if user is not None and user.active else None
