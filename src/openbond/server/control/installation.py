"""What a new installation begins with: root space, groups, routing group, an administrator."""

from dataclasses import dataclass

from django.db import transaction

from openbond.server.fleet.models import RoutingGroup
from openbond.server.qos.services import create_default_qos_profile
from openbond.server.spaces.models import Group, Space
from openbond.server.spaces.permissions import ADMINISTRATOR, DEFAULT_GROUPS
from openbond.server.spaces.services import create_group, create_space, create_user
from openbond.server.system.actors import Actor

INSTALLER = Actor(user_id=None, name="installation", origin="command line")


@dataclass(frozen=True, slots=True)
class FirstAdministrator:
    email: str
    password: str


@transaction.atomic
def install(*, administrator: FirstAdministrator) -> bool:
    """Make what every installation has. False, and nothing done, where it is there already.

    Raises InvalidFields for a password or e-mail address that cannot be taken.
    """
    if Space.objects.filter(parent__isnull=True).exists():
        return False
    root = create_space(by=INSTALLER, name="Root", key="root", parent=None)
    groups = [_create_group(name) for name in DEFAULT_GROUPS]
    RoutingGroup.objects.create(name="Default group", space=root, is_default=True)
    create_default_qos_profile(by=INSTALLER, space=root)
    create_user(
        by=INSTALLER,
        email=administrator.email,
        password=administrator.password,
        role="administrator",
        space=root,
        groups=[group for group in groups if group.name == ADMINISTRATOR],
    )
    return True


def _create_group(name: str) -> Group:
    group = create_group(by=INSTALLER, name=name, permissions=DEFAULT_GROUPS[name])
    if name == ADMINISTRATOR:
        Group.objects.filter(pk=group.pk).update(is_builtin=True)
    return group
