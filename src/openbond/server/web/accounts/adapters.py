"""What allauth is told of our accounts: nobody signs up, and secrets are sealed."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest

from openbond.server.system.secrets import seal, unseal


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is not typed throughout
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Accounts are made by administrators alone."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Lock nobody out: failed passwords wait, as the API's do (api/login_delays.py)."""

    def reauthenticate(self, user: AbstractBaseUser, password: str) -> bool:
        login = user.get_username()  # the e-mail address
        found = self.authenticate(context.request, email=login, password=password)
        return found is not None and found.pk == user.pk

    def get_client_ip(self, request: HttpRequest) -> str:
        return str(request.META.get("REMOTE_ADDR", ""))


class SecondFactors(DefaultMFAAdapter):  # type: ignore[misc]
    def get_totp_issuer(self) -> str:
        """Return what an authenticator app lists the account under: product, and this server."""
        host = context.request.get_host().partition(":")[0]
        return f"openbond {host}"

    def encrypt(self, text: str) -> str:
        return seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text)


class Providers(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Single sign-on opens accounts that are here already, by their e-mail address."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False
