"""Who is asking: Basic, token or session (00-general.md, 3)."""

import base64
import binascii
import hmac
import time
from dataclasses import dataclass
from enum import Enum, auto

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from openbond.server.control.django_desk import ANSWER_AFTER
from openbond.server.spaces import selectors, services
from openbond.server.spaces.models import User

from .credentials import VerifiedPasswords, has_password
from .login_delays import LoginDelays
from .refusals import CsrfFailed

CHALLENGE = 'Basic realm="openbond"'
CSRF_COOKIE = "csrftoken"
CSRF_HEADER = "X-CSRFToken"

# Losing these costs one argon2 for each user, so each process may keep its own.
verified_passwords = VerifiedPasswords()
login_delays = LoginDelays()


class Way(Enum):
    PASSWORD = auto()
    TOKEN = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True)
class Login:
    """How the caller proved who he is, and whether that way may only read."""

    way: Way
    is_read_only: bool = False


class Credentials(BaseAuthentication):
    """An Authorization header, when there is one, decides alone; else the session does."""

    def authenticate(self, request: Request) -> tuple[User, Login] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return _by_session(request)
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() == "basic":
            return _by_password(request, rest.strip())
        if scheme.lower() == "token":
            return _by_token(request, rest.strip())
        raise _failed(request, "Use Basic or Token authorization.")

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def check_csrf(request: Request) -> None:
    """Refuse a write by session cookie that does not carry the CSRF token. Raises CsrfFailed."""
    cookie = request.COOKIES.get(CSRF_COOKIE, "")
    header = request.headers.get(CSRF_HEADER, "")
    if not cookie or not hmac.compare_digest(cookie.encode(), header.encode()):
        raise CsrfFailed


def _by_session(request: Request) -> tuple[User, Login] | None:
    user = getattr(request._request, "user", None)
    if not isinstance(user, User) or not user.active:
        return None
    return user, Login(Way.SESSION)


def _failed(request: Request, why: str, *, account: str = "") -> AuthenticationFailed:
    """Return the refusal of a failed login, and let its answer wait."""
    address = request.META.get("REMOTE_ADDR", "")
    now = time.monotonic()
    seconds = login_delays.on_failure(address=address, account=account, now=now)
    request.META[ANSWER_AFTER] = seconds
    return AuthenticationFailed(why)


def _by_password(request: Request, encoded: str) -> tuple[User, Login]:
    decoded = _decoded(encoded)
    if decoded is None:
        raise _failed(request, "The Authorization header is malformed.")
    login, password = decoded
    user = _user(login)
    if user is None or not user.active or not _fits(user, password):
        if user is None or not user.active:
            has_password(None, password)
        raise _failed(request, "Wrong user name or password.", account=login)
    login_delays.on_success(account=login)
    services.note_login(user=user, now=timezone.now())
    return user, Login(Way.PASSWORD)


def _user(login: str) -> User | None:
    # A database cannot look for NUL, and nobody's name has one.
    return None if "\0" in login else selectors.user_by_login(login)


def _fits(user: User, password: str) -> bool:
    now = time.monotonic()
    if verified_passwords.holds(user_id=user.pk, password=password, against=user.password, now=now):
        return True
    fits = has_password(user, password)
    if fits:
        verified_passwords.remember(
            user_id=user.pk, password=password, against=user.password, now=now
        )
    return fits


def _by_token(request: Request, secret: str) -> tuple[User, Login]:
    now = timezone.now()
    token = selectors.token_shown_as(secret, now=now)
    if token is None or not token.owner.active:
        raise _failed(request, "The token is unknown, expired or revoked.")
    services.note_login(user=token.owner, now=now)
    services.note_token_use(token=token, now=now)
    return token.owner, Login(Way.TOKEN, is_read_only=token.read_only)


def _decoded(encoded: str) -> tuple[str, str] | None:
    """Return login and password; None where the header holds none."""
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    login, colon, password = text.partition(":")
    return (login, password) if colon else None
