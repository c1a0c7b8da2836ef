"""Links by which somebody sets the password of his account: mailed to its address, good once.

A link dies with the password that it was made for, and after a day (PASSWORD_RESET_TIMEOUT). Its
token is Django's, signed with the key of the installation.
"""

from datetime import datetime

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction

from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import user_by_id
from openbond.server.system.mail import page_link, queue_link
from openbond.server.system.selectors import current_settings

PATH = "/sign-in/password/{user}/{token}/"
TEXT = """\
Somebody, you perhaps, asked for a link to set the password of {email} at {hostname}:

{link}

It is good for a day, and once. If it was not you, there is nothing to do: without the link the
password stays as it is.
"""


@transaction.atomic
def mail_password_link(*, user: User, now: datetime) -> bool:
    """Mail the link to the address of an account. Returns False where no mail goes out: the account
    is not active, no sender is set, or the last one was written a moment ago.
    """
    if not user.active:
        return False
    path = PATH.format(user=user.pk, token=default_token_generator.make_token(user))
    hostname = current_settings().server_hostname
    link = page_link(path, hostname=hostname)
    return queue_link(
        address=user.email,
        code="password",
        about=f"user {user.pk}",
        subject="Set your password",
        text=TEXT.format(email=user.email, hostname=hostname, link=link),
        now=now,
    )


def user_of_link(user_id: int, token: str) -> User | None:
    """Return whose password a link sets; None for one that is not good any more, or never was."""
    user = user_by_id(user_id)
    if user is None or not user.active or not default_token_generator.check_token(user, token):
        return None
    return user
