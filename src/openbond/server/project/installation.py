"""What a new installation holds: root space, groups, default profile, an administrator."""

import secrets
from dataclasses import dataclass

from django.db import transaction

from openbond.server.fleet.services import create_routing_group
from openbond.server.qos.services import create_default_qos_profile
from openbond.server.spaces.models import Group, Space, User
from openbond.server.spaces.permissions import DEFAULT_GROUPS
from openbond.server.spaces.services import create_space, create_user, install_group
from openbond.server.system.actors import SERVER
from openbond.server.system.services import update_settings

ROOT_NAME = "Root"
ROOT_KEY = "root"
DEFAULT_ROUTING_GROUP = "Default group"
DEFAULT_EMAIL = "admin@openbond.example"


@dataclass(frozen=True, slots=True)
class Installed:
    """What was made. `password` is empty if an administrator existed already."""

    root: Space
    administrator: User
    password: str


@transaction.atomic
def install(*, email: str = DEFAULT_EMAIL, password: str = "") -> Installed:
    """Make what is missing of a new installation; on a full one change nothing.

    Without a password a random one is made. It is told once, in the answer.
    """
    root = Space.objects.filter(parent__isnull=True).first() or _create_root()
    administrators = User.objects.filter(space=root, groups__is_builtin=True)
    existing = administrators.order_by("id").first()
    if existing is not None:
        return Installed(root=root, administrator=existing, password="")
    chosen = password or secrets.token_urlsafe(15)
    return Installed(root=root, administrator=_create_admin(root, email, chosen), password=chosen)


def _create_root() -> Space:
    root = create_space(by=SERVER, name=ROOT_NAME, key=ROOT_KEY, parent=None)
    create_routing_group(by=SERVER, name=DEFAULT_ROUTING_GROUP, space=root, is_default=True)
    create_default_qos_profile(by=SERVER, space=root)
    for name, codes in DEFAULT_GROUPS.items():
        install_group(by=SERVER, name=name, codes=codes)
    update_settings(by=SERVER)
    return root


def _create_admin(root: Space, email: str, password: str) -> User:
    administrators = Group.objects.filter(is_builtin=True)
    return create_user(
        by=SERVER,
        email=email,
        password=password,
        space=root,
        role="administrator",
        groups=list(administrators),
    )
