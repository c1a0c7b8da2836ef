"""What the modem client knows of one leg between two looks."""

from dataclasses import dataclass, field

from openbond.node.backoff import Backoff

from .ladder import Ladder
from .messages import ModemLeg
from .objects import Modem


@dataclass(slots=True)
class MobileLeg:
    """`modem`: the one seen last; `again_at`: when to try to connect again, monotonic, s."""

    asked: ModemLeg
    ladder: Ladder
    modem: Modem | None = None
    imei: str = ""
    is_busy: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    again_at: float = 0.0
