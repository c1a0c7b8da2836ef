"""What a new installation begins with: root space, groups, routing group, an administrator."""

import base64
import hmac
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from openbond.server.fleet.models import RoutingGroup
from openbond.server.qos.services import create_default_qos_profile
from openbond.server.spaces.models import Group, Space
from openbond.server.spaces.permissions import ADMINISTRATOR, DEFAULT_GROUPS
from openbond.server.spaces.selectors import has_users, root_space
from openbond.server.spaces.services import create_group, create_space, create_user
from openbond.server.system.actors import Actor
from openbond.server.system.locks import Lock, take

INSTALLER = Actor(user_id=None, name="installation", origin="command line")


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    email: str
    password: str


@transaction.atomic
def install(*, administrator: FirstAdministrator | None) -> bool:
    """Make what every installation has. False, and nothing done, where it is there already.

    Without an administrator the site's first page makes one (create_first_administrator).

    Raises InvalidFields for a password or e-mail address that cannot be taken.
    """
    if Space.objects.filter(parent__isnull=True).exists():
        return False
    root = create_space(by=INSTALLER, name="Root", key="root", parent=None)
    for name in DEFAULT_GROUPS:
        _create_group(name)
    RoutingGroup.objects.create(name="Default group", space=root, is_default=True)
    create_default_qos_profile(by=INSTALLER, space=root)
    if administrator is not None:
        _create_administrator(administrator, by=INSTALLER, root=root)
    return True


@transaction.atomic
def create_first_administrator(*, administrator: FirstAdministrator, origin: str) -> bool:
    """Make the only administrator of an installation that has no user.

    False, and nothing done, where there is one: the door closes behind the first for ever. `origin`
    is where he came from, for the audit. Raises InvalidFields.
    """
    take(Lock.ADMINISTRATORS)
    if has_users():
        return False
    by = Actor(user_id=None, name="first run", origin=origin)
    _create_administrator(administrator, by=by, root=root_space())
    return True


def first_run_code() -> str:
    """Return the code that proves to the site's first page that one reads the server's log.

    It follows from the secrets of the installation, so that every process knows the same.
    """
    key = settings.SECRET_KEY.encode()
    digest = hmac.digest(key, b"openbond first run", "sha256")[:10]
    letters = base64.b32encode(digest).decode()
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def is_first_run_code(given: str) -> bool:
    """Compare in the same time whatever is given; case, spaces and hyphens do not count."""
    plain = given.replace("-", "").replace(" ", "").upper()
    return hmac.compare_digest(plain.encode(), first_run_code().replace("-", "").encode())


def _create_administrator(administrator: FirstAdministrator, *, by: Actor, root: Space) -> None:
    create_user(
        by=by,
        email=administrator.email,
        password=administrator.password,
        role="administrator",
        space=root,
        groups=list(Group.objects.filter(is_builtin=True)),
    )


def _create_group(name: str) -> None:
    group = create_group(by=INSTALLER, name=name, permissions=DEFAULT_GROUPS[name])
    if name == ADMINISTRATOR:
        Group.objects.filter(pk=group.pk).update(is_builtin=True)
