"""Writes to API tokens: shown once, stored as a hash (api-v3 00-general 3)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction
from django.utils import timezone

from openbond.server.errors import InvalidFields
from openbond.server.spaces.models import ApiToken, User
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change, shown_values
from openbond.server.system.constraints import UNIQUE_NAME, refusing
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import record

NAME_UNIQUE = {"token_name_unique": UNIQUE_NAME}
USE_LAG = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token, and the only time that its text is known."""

    token: ApiToken
    text: str


@transaction.atomic
def create_token(
    *, by: Actor, owner: User, name: str, expires: datetime, read_only: bool = False
) -> IssuedToken:
    """Make a token. Raises InvalidFields when it would live longer than the setting allows."""
    now = timezone.now()
    latest = now + timedelta(days=current_settings().token_max_lifetime)
    if not now < expires <= latest:
        raise InvalidFields.one("expires", f"Choose a time from now to {latest:%Y-%m-%d}.")
    text = secrets.token_urlsafe(32)
    token = ApiToken(
        owner=owner,
        name=name,
        digest=sha256(text.encode()).hexdigest(),
        read_only=read_only,
        created=now,
        expires=expires,
    )
    with refusing(ApiToken, NAME_UNIQUE):
        token.save(force_insert=True)
    change = Change(after=shown_values(token, ["name", "read_only", "expires", "owner"]))
    record(by=by, action="create", row=token, change=change, now=now, space_id=owner.space_id)
    return IssuedToken(token=token, text=text)


@transaction.atomic
def delete_token(*, by: Actor, token: ApiToken) -> None:
    """Revoke a token: it ends at once."""
    now = timezone.now()
    change = Change(before=shown_values(token, ["name", "read_only", "expires", "owner"]))
    space_id = token.owner.space_id
    record(by=by, action="delete", row=token, change=change, now=now, space_id=space_id)
    token.delete()


def note_token_use(*, token: ApiToken, now: datetime) -> None:
    """Move `last_used`, at most once an hour."""
    if token.last_used is None or now - token.last_used >= USE_LAG:
        ApiToken.objects.filter(pk=token.pk).update(last_used=now)
