"""What the modem client of a node shall connect (behaviour 3.8). Pure."""

from openbond.node.modems.messages import ModemLeg, ModemSettings, encode_settings
from openbond.wire.config import MobileAccess, NodeContent
from openbond.wire.states import LinkMode

from .facts import Facts
from .values import ClientFile, RunningProgram
from .wishes import Wishes

SETTINGS = "modems.json"


def wish_modems(wishes: Wishes, content: NodeContent, facts: Facts) -> None:
    """Wish for one client of all modems, as soon as a leg needs one."""
    legs = [
        ModemLeg(
            leg_id=leg.id,
            bond_id=bond.id,
            apn=leg.access.apn,
            username=leg.access.username,
            password=leg.access.password,
            modem=leg.access.modem,
        )
        for bond in content.bonds
        for leg in bond.legs
        if isinstance(leg.access, MobileAccess) and leg.link_mode is not LinkMode.OFFLINE
    ]
    if legs:
        about = f"leg {legs[0].leg_id}"
        wishes.client_file(ClientFile(SETTINGS, encode_settings(ModemSettings(legs=legs))), about)
        wishes.program(RunningProgram("modems", facts.machine.modem_argv), about)
