"""ModemManager's objects as values (org.freedesktop.ModemManager1, version 1.8 and later). Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from openbond.node.plan.facts import Line

from .messages import ModemFacts, ModemLeg

SERVICE = "org.freedesktop.ModemManager1"
PLACE = "/org/freedesktop/ModemManager1"
MODEM = f"{SERVICE}.Modem"
SIMPLE = f"{MODEM}.Simple"
MODEM_3GPP = f"{MODEM}.Modem3gpp"
SIGNAL = f"{MODEM}.Signal"
BEARER = f"{SERVICE}.Bearer"

# path → interface → property → value, variants unpacked
Objects: TypeAlias = Mapping[str, Mapping[str, Mapping[str, object]]]


class ModemState(IntEnum):
    """MMModemState; only what is acted upon."""

    FAILED = -1
    LOCKED = 2
    ENABLED = 6
    CONNECTED = 11


class IpMethod(IntEnum):
    """MMBearerIpMethod."""

    UNKNOWN = 0
    PPP = 1
    STATIC = 2
    DHCP = 3


IP_FAMILY_IPV4 = 1  # MMBearerIpFamily
AUTH_PAP_OR_CHAP = 1 << 1 | 1 << 2  # MMBearerAllowedAuth
# MMModemAccessTechnology, bits; the newest that is on counts.
_TECHNOLOGIES = (
    ("5g", 1 << 15),
    ("4g", 1 << 14 | 1 << 16 | 1 << 17),
    ("3g", 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 11 | 1 << 12 | 1 << 13),
    ("2g", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 10),
)
# The Signal interface: its dictionaries, and in each the figure that says how strong it is.
_STRENGTHS = (
    ("Nr5g", "rsrp"),
    ("Lte", "rsrp"),
    ("Umts", "rscp"),
    ("Umts", "rssi"),
    ("Gsm", "rssi"),
)
_LEAST_DBM = -200  # modems that know nothing say -32768 or the like
# MMModemStateFailedReason
_FAILED = {2: "it has no SIM card", 3: "its SIM card is not readable"}


@dataclass(frozen=True, slots=True)
class Bearer:
    """One connection of a modem, as ModemManager has it."""

    path: str
    is_connected: bool
    interface: str
    apn: str
    username: str
    ip4: Mapping[str, object]

    def serves(self, leg: ModemLeg) -> bool:
        return self.is_connected and (self.apn, self.username) == (leg.apn, leg.username)


@dataclass(frozen=True, slots=True)
class Modem:
    path: str
    imei: str
    place: str  # in /sys
    state: int
    trouble: str  # why it cannot serve, in words; "" = it can
    facts: ModemFacts
    bearers: tuple[Bearer, ...]
    can_be_asked_for_signal: bool = False  # in dBm; until it was asked it measures none

    @property
    def is_connected(self) -> bool:
        return any(bearer.is_connected for bearer in self.bearers)

    def is_called(self, name: str) -> bool:
        """Report whether the operator means this one: by IMEI, or by its place on the bus."""
        return name == self.imei or self.place == name or self.place.endswith(f"/{name}")


def modems_in(objects: Objects) -> list[Modem]:
    """Return the modems, in the order of their IMEI."""
    found = [
        _modem(path, interfaces, objects)
        for path, interfaces in objects.items()
        if MODEM in interfaces
    ]
    return sorted(found, key=lambda modem: (modem.imei, modem.path))


def _modem(path: str, interfaces: Mapping[str, Mapping[str, object]], objects: Objects) -> Modem:
    own, network = interfaces[MODEM], interfaces.get(MODEM_3GPP, {})
    signal = interfaces.get(SIGNAL, {})
    state = _int(own.get("State"))
    imei = _text(own.get("EquipmentIdentifier")) or _text(network.get("Imei"))
    return Modem(
        path=path,
        imei=imei,
        place=_text(own.get("Device")),
        state=state,
        trouble=_trouble(state, _int(own.get("StateFailedReason"))),
        facts=ModemFacts(
            imei=imei or None,
            operator=_text(network.get("OperatorName")) or None,
            access_technology=technology(_int(own.get("AccessTechnologies"))),
            signal_quality=_quality(own.get("SignalQuality")),
            signal=_dbm(signal),
        ),
        bearers=tuple(_bearers(own.get("Bearers"), objects)),
        can_be_asked_for_signal=state >= ModemState.ENABLED and signal.get("Rate") == 0,
    )


def _bearers(paths: object, objects: Objects) -> Iterator[Bearer]:
    for path in paths if isinstance(paths, list) else []:
        own = objects.get(path, {}).get(BEARER)
        if own is None:
            continue
        asked = _mapping(own.get("Properties"))
        yield Bearer(
            path=path,
            is_connected=own.get("Connected") is True,
            interface=_text(own.get("Interface")),
            apn=_text(asked.get("apn")),
            username=_text(asked.get("user")),
            ip4=_mapping(own.get("Ip4Config")),
        )


def _trouble(state: int, reason: int) -> str:
    if state == ModemState.LOCKED:
        return "the SIM card asks for its PIN: switch the question off, e.g. in a telephone"
    if state == ModemState.FAILED:
        return f"the modem does not work: {_FAILED.get(reason, f'reason {reason}')}"
    return ""


def technology(bits: int) -> str | None:
    """Return 2g, 3g, 4g or 5g, the newest of those in use; None while there is none."""
    return next((name for name, mask in _TECHNOLOGIES if bits & mask), None)


def line_of(bearer: Bearer) -> Line:
    """Return where packets leave by a connected bearer, or why they cannot."""
    ip4 = bearer.ip4
    method = _int(ip4.get("method"))
    if not bearer.interface or method == IpMethod.PPP:
        return Line(trouble="this modem gives only a serial line: use one with a network interface")
    if method == IpMethod.DHCP:
        return Line(interface=bearer.interface, mtu=_int(ip4.get("mtu")))
    address = _text(ip4.get("address"))
    if method != IpMethod.STATIC or not address:
        return Line(trouble="the network gave no IPv4 address: is the APN right?")
    servers = [_text(ip4.get(name)) for name in ("dns1", "dns2", "dns3")]
    return Line(
        interface=bearer.interface,
        ip=address,
        prefix=_int(ip4.get("prefix")) or 32,
        gateway=_text(ip4.get("gateway")),
        name_servers=[server for server in servers if server],
        mtu=_int(ip4.get("mtu")),
    )


def _quality(value: object) -> int | None:
    # (percent, "measured just now")
    return value[0] if isinstance(value, list | tuple) and value else None


def _dbm(signal: Mapping[str, object]) -> int | None:
    """Return the strength of the newest technology that tells one, in dBm."""
    for name, figure in _STRENGTHS:
        value = _mapping(signal.get(name)).get(figure)
        if isinstance(value, float) and _LEAST_DBM < value < 0:
            return round(value)
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
