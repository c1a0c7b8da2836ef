"""What somebody chooses for his own eyes alone; no audit tells of it."""

from collections.abc import Sequence

from django.db import transaction

from openbond.server.spaces.models import User
from openbond.server.system.locks import locked


@transaction.atomic
def choose_columns(*, user: User, sheet: str, names: Sequence[str]) -> None:
    """Keep which columns of a list a user wants to see; none: the usual ones."""
    row = locked(User.objects.all(), user.pk)
    row.list_columns.pop(sheet, None)
    if names:
        row.list_columns[sheet] = list(names)
    User.objects.filter(pk=row.pk).update(list_columns=row.list_columns)
