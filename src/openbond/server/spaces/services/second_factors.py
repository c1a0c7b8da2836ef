"""Second factors of accounts, taken away: for whoever lost them all."""

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.utils import timezone

from openbond.server.spaces.models import User
from openbond.server.system.actors import Actor
from openbond.server.system.changes import Change
from openbond.server.system.services import record

from .users import check_stronger


@transaction.atomic
def delete_second_factors(*, by: Actor, user: User) -> int:
    """Take away authenticator app, keys and recovery codes; return how many there were.

    The password alone opens the account then. Raises Forbidden for a user who holds more than the
    caller.
    """
    check_stronger(by, user)
    held = Authenticator.objects.filter(user=user)
    kinds = sorted(held.values_list("type", flat=True))
    if kinds:
        held.delete()
        change = Change(before={"second_factors": kinds}, after={"second_factors": []})
        now = timezone.now()
        record(by=by, action="update", row=user, change=change, now=now, space_id=user.space_id)
    return len(kinds)
