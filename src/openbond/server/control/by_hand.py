"""What the commands that operators type have in common."""

from django.core.management.base import CommandError

from openbond.server.spaces.models import User


def user_of(email: str) -> User:
    """Return the account with this e-mail address. Raises CommandError."""
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        raise CommandError(f"There is no account {email}.")
    return user
