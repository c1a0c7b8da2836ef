"""Changes a bonder. Its name is its bond's, so both rows show that they were changed."""

from typing import Unpack

from django.db import transaction
from django.utils import timezone

from openbond.server.bonds.models import Bond
from openbond.server.fleet.models import Bonder
from openbond.server.fleet.services import NodeChanges, request_config_update, write_node
from openbond.server.fleet.services.nodes import TOLD
from openbond.server.system.actors import Actor
from openbond.server.system.locks import locked
from openbond.server.system.services import record


@transaction.atomic
def update_bonder(*, by: Actor, bonder: Bonder, **changes: Unpack[NodeChanges]) -> Bonder:
    """Change a bonder, also while its bond is being tuned. Raises InvalidFields."""
    now = timezone.now()
    # The bond first, as every write does, so that nobody waits in a circle.
    bond = Bond.objects.select_for_update(of=("self",)).filter(bonder=bonder).first()
    row = locked(Bonder.objects.all(), bonder.pk)
    change = write_node(node=row, changes=dict(changes), now=now)
    if not change:
        return row
    if change.touches({"name"}):
        Bond.objects.filter(bonder=row).update(modified=now)
    if change.touches(TOLD):
        bond_id = bond.pk if bond else None
        request_config_update([row], reason="bonder changed", bond_id=bond_id)
    record(by=by, action="update", row=row, change=change, now=now, space_id=row.space_id)
    return row
