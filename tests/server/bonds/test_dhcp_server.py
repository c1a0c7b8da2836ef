"""The DHCP server of a connected IP is switched by command line, and checked (behaviour 5.9)."""

import pytest
from django.core.management import CommandError, call_command

from openbond.server.bonds.models import ConnectedIP
from openbond.server.bonds.services import create_connected_ip
from openbond.server.control.publish import content_of
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.world import World, nodes_to_update, settle_updates

pytestmark = pytest.mark.django_db


@pytest.fixture
def connected(world: World) -> ConnectedIP:
    row = create_connected_ip(
        by=SERVER, bond=world.bond, interface="eth0", ip="10.1.0.1", prefix=24
    )
    settle_updates()
    return row


def switch(row: ConnectedIP, lease: int) -> None:
    call_command("dhcp_server", connected_ip=row.pk, lease=lease)


def test_the_bonder_learns_it_and_the_audit_log_keeps_it(
    world: World, connected: ConnectedIP
) -> None:
    switch(connected, 43_200)

    assert world.bonder.name in nodes_to_update()
    (found,) = content_of(world.bonder.pk).bonds[0].connected_ips
    assert found.dhcp_lease_s == 43_200
    entry = AuditEntry.objects.latest("id")
    assert entry.after["dhcp_lease"] == 43_200

    switch(connected, 0)

    assert content_of(world.bonder.pk).bonds[0].connected_ips[0].dhcp_lease_s == 0


@pytest.mark.parametrize(
    ("prefix", "lease", "why"),
    [(24, 60, "120 to 604800"), (24, 700_000, "120 to 604800"), (31, 600, "four addresses")],
)
def test_what_no_dhcp_server_could_do_is_refused(
    connected: ConnectedIP, prefix: int, lease: int, why: str
) -> None:
    ConnectedIP.objects.filter(pk=connected.pk).update(prefix=prefix)

    with pytest.raises(CommandError, match=why):
        switch(connected, lease)


def test_a_connected_ip_that_is_not_there_is_named(world: World) -> None:
    with pytest.raises(CommandError, match="no connected IP 99"):
        call_command("dhcp_server", connected_ip=99, lease=600)
