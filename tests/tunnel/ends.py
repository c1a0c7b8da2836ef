"""A leg's end that stands still: keys and an address, no timers. For tests of the data path."""

from openbond.tunnel.cookies import Address
from openbond.tunnel.keypair import Agreement, Keypair
from openbond.tunnel.leg_end import LegEnd
from openbond.tunnel.legs import Legs
from openbond.tunnel.settings import Cipher, Role, Security
from tests.tunnel.pair import bond, leg

PEER: Address = ("192.0.2.9", 2001)
_KEYS = bytes(range(32)), bytes(range(32, 64))


def keypairs(security: Security = Security.ENCRYPTION) -> tuple[Keypair, Keypair]:
    """Return the keypairs of two ends of one leg."""
    one, other = _KEYS
    agreement = Agreement(security=security, cipher=Cipher.AES256)
    ours = Keypair(
        send_key=one,
        receive_key=other,
        local_index=11,
        peer_index=22,
        agreement=agreement,
        initiator=True,
        born_at=0.0,
    )
    theirs = Keypair(
        send_key=other,
        receive_key=one,
        local_index=22,
        peer_index=11,
        agreement=agreement,
        initiator=False,
        born_at=0.0,
    )
    return ours, theirs


def still_end(leg_id: int, keypair: Keypair | None = None, role: Role = Role.BONDER) -> LegEnd:
    """Return a real end that has `keypair` as if a handshake had made it."""
    legs = Legs(bond(role, leg(leg_id)), epoch=1, now=0.0, entropy=bytes)
    end = legs.ends[leg_id]
    end.address = PEER
    if keypair is not None:
        end.session.current = keypair
        end.keypairs[keypair.local_index] = keypair
    return end
