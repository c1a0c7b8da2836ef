"""What the agent gives the modem client, and what the client leaves for the agent: files.

DIR/run/bonding/modems.json   ModemSettings, mode 0600: the agent writes, the client looks at it
DIR/run/bonding/lines/<leg>   plan.facts.Line: where packets leave
DIR/run/bonding/modems/<leg>  ModemFacts: what the server is told of the modem every minute
"""

from pathlib import Path

import msgspec
from msgspec import Struct


class ModemLeg(Struct, frozen=True, kw_only=True):
    """One mobile leg. `modem`: an IMEI or the modem's place on its bus, "" = the first one free."""

    leg_id: int
    bond_id: int
    apn: str
    username: str = ""
    password: str = ""
    modem: str = ""


class ModemSettings(Struct, frozen=True, kw_only=True):
    legs: list[ModemLeg] = []


class ModemFacts(Struct, frozen=True, kw_only=True):
    """Technology: 2g, 3g, 4g or 5g; quality in percent; `signal` in dBm: RSRP of 5G and 4G, RSCP
    of 3G, else RSSI; None = not known.
    """

    imei: str | None = None
    operator: str | None = None
    access_technology: str | None = None
    signal_quality: int | None = None
    signal: int | None = None


def encode_settings(settings: ModemSettings) -> bytes:
    return msgspec.json.encode(settings)


def facts_path(directory: Path, leg_id: int) -> Path:
    return directory / f"{leg_id}.json"
