"""Checks passwords, and notes that credentials were used (00-general.md, 3)."""

from datetime import datetime, timedelta

from django.contrib.auth.hashers import check_password, make_password

from .models import ApiToken, User

# What is noted may lag by this much: a client that polls does not write on every request.
LAG = timedelta(hours=1)
_NOBODY = "argon2 takes its time for nobody, too"


def has_password(user: User | None, password: str) -> bool:
    """Report whether it is the user's password. Takes equally long when there is no user."""
    if user is None or not user.has_usable_password():
        make_password(_NOBODY)
        return False
    return check_password(password, user.password)


def note_login(*, user: User, now: datetime) -> None:
    """Note that the user is there, at most once an hour. `modified` does not follow it."""
    if user.last_login is None or now - user.last_login > LAG:
        User.objects.filter(pk=user.pk).update(last_login=now)
        user.last_login = now


def note_token_use(*, token: ApiToken, now: datetime) -> None:
    """Note that the token was used, at most once an hour."""
    if token.last_used is None or now - token.last_used > LAG:
        ApiToken.objects.filter(pk=token.pk).update(last_used=now)
