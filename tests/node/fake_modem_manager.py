"""ModemManager on a private bus: the published interface, with modems that hold state.

Names, types and signals of org.freedesktop.ModemManager1 and of the interfaces of a modem and a
bearer that we use: https://www.freedesktop.org/software/ModemManager/doc/latest/ModemManager/
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

from dbus_fast import DBusError, Message, PropertyAccess, RequestNameReply, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import (
    DBusBool,
    DBusDict,
    DBusInt32,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
    DBusUInt32,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

SERVICE = "org.freedesktop.ModemManager1"
PLACE = "/org/freedesktop/ModemManager1"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
READ = PropertyAccess.READ
# MMModemState, MMBearerIpMethod
REGISTERED, CONNECTED, DISABLED, FAILED, LOCKED = 8, 11, 3, -1, 2
PPP, STATIC, DHCP = 1, 2, 3
LTE = 1 << 14

ObjectPaths = Annotated[list[str], DBusSignature("ao")]
Quality = Annotated[list[Any], DBusSignature("(ub)")]
Dictionaries = Annotated[list[dict[str, Variant]], DBusSignature("aa{sv}")]


@contextmanager
def private_bus(directory: Path) -> Iterator[str]:
    """Run a bus of our own; yield its address. The system's and the session's stay untouched."""
    address = f"unix:path={directory}/bus"
    bus = subprocess.Popen(
        [
            "dbus-daemon",
            "--session",
            "--nofork",
            "--nopidfile",
            "--print-address",
            "--address",
            address,
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert bus.stdout is not None
        yield bus.stdout.readline().strip()
    finally:
        bus.terminate()
        bus.wait(10)
        if bus.stdout is not None:
            bus.stdout.close()


class FakeBearer(ServiceInterface):
    """org.freedesktop.ModemManager1.Bearer"""

    def __init__(self, asked: dict[str, Variant], interface: str, ip4: dict[str, Variant]) -> None:
        super().__init__(f"{SERVICE}.Bearer")
        self.asked, self.interface, self.ip4 = asked, interface, ip4
        self.is_connected = True

    @dbus_property(access=READ)
    def Interface(self) -> DBusStr:
        return self.interface if self.is_connected else ""

    @dbus_property(access=READ)
    def Connected(self) -> DBusBool:
        return self.is_connected

    @dbus_property(access=READ)
    def Suspended(self) -> DBusBool:
        return False

    @dbus_property(access=READ)
    def Ip4Config(self) -> DBusDict:
        return self.ip4 if self.is_connected else {"method": Variant("u", 0)}

    @dbus_property(access=READ)
    def Ip6Config(self) -> DBusDict:
        return {"method": Variant("u", 0)}

    @dbus_property(access=READ)
    def IpTimeout(self) -> DBusUInt32:
        return 20

    @dbus_property(access=READ)
    def BearerType(self) -> DBusUInt32:
        return 1

    @dbus_property(access=READ)
    def Properties(self) -> DBusDict:
        return {name: value for name, value in self.asked.items() if name != "password"}


class FakeModem(ServiceInterface):
    """org.freedesktop.ModemManager1.Modem, and what a test does to it."""

    def __init__(self, manager: "FakeModemManager", imei: str, place: str, interface: str) -> None:
        super().__init__(f"{SERVICE}.Modem")
        self.manager = manager
        self.imei, self.place, self.interface = imei, place, interface
        self.state, self.failure, self.quality, self.technologies = REGISTERED, 0, 71, LTE
        self.operator = "Example Mobile"
        self.measures_signal = True
        self.set_up: list[int] = []  # how often the signal shall be measured, s
        self.rsrp: float | None = -93.4
        self.ip4: dict[str, Variant] = static_ip4()
        self.refuses = ""  # why Connect fails
        self.keeps = 0  # how many times Disconnect fails
        self.may_connect = asyncio.Event()
        self.may_connect.set()
        self.bearers: dict[str, FakeBearer] = {}
        self.path = ""
        self.returns_after_s = 0.2
        self.calls: list[str] = []
        self.asked: list[dict[str, Variant]] = []

    @dbus_method()
    def Enable(self, enable: DBusBool) -> None:
        self.calls.append(f"Enable {enable}")

    @dbus_method()
    async def Reset(self) -> None:
        self.calls.append("Reset")
        asyncio.get_running_loop().call_later(0.05, self.manager.restart, self)

    @dbus_method()
    def ListBearers(self) -> ObjectPaths:
        return list(self.bearers)

    @dbus_signal()
    def StateChanged(
        self, old: int, new: int
    ) -> Annotated[tuple[int, int, int], DBusSignature("iiu")]:
        return (old, new, 1)

    @dbus_property(access=READ)
    def Bearers(self) -> ObjectPaths:
        return list(self.bearers)

    @dbus_property(access=READ)
    def Manufacturer(self) -> DBusStr:
        return "Example"

    @dbus_property(access=READ)
    def Model(self) -> DBusStr:
        return "EX-1"

    @dbus_property(access=READ)
    def DeviceIdentifier(self) -> DBusStr:
        return f"id-{self.imei}"

    @dbus_property(access=READ)
    def Device(self) -> DBusStr:
        return self.place

    @dbus_property(access=READ)
    def PrimaryPort(self) -> DBusStr:
        return "cdc-wdm0"

    @dbus_property(access=READ)
    def EquipmentIdentifier(self) -> DBusStr:
        return self.imei

    @dbus_property(access=READ)
    def State(self) -> DBusInt32:
        return self.state

    @dbus_property(access=READ)
    def StateFailedReason(self) -> DBusUInt32:
        return self.failure

    @dbus_property(access=READ)
    def AccessTechnologies(self) -> DBusUInt32:
        return self.technologies

    @dbus_property(access=READ)
    def SignalQuality(self) -> Quality:
        return [self.quality, True]

    def move(self, state: int) -> None:
        old, self.state = self.state, state
        self.StateChanged(old, state)
        self.emit_properties_changed({"State": state, "Bearers": list(self.bearers)})


class FakeSimple(ServiceInterface):
    """org.freedesktop.ModemManager1.Modem.Simple"""

    def __init__(self, modem: FakeModem) -> None:
        super().__init__(f"{SERVICE}.Modem.Simple")
        self.modem = modem

    @dbus_method()
    async def Connect(self, properties: DBusDict) -> DBusObjectPath:
        modem = self.modem
        modem.calls.append("Connect")
        modem.asked.append(properties)
        await modem.may_connect.wait()
        if modem.refuses:
            raise DBusError(f"{SERVICE}.Error.MobileEquipment.Unknown", modem.refuses)
        path = modem.manager.add_bearer(modem, properties)
        modem.move(CONNECTED)
        return path

    @dbus_method()
    async def Disconnect(self, bearer: DBusObjectPath) -> None:
        self.modem.calls.append("Disconnect")
        if self.modem.keeps:
            self.modem.keeps -= 1
            raise DBusError(f"{SERVICE}.Error.Core.Retry", "Busy")
        found = self.modem.bearers.get(bearer)
        if found is None:
            raise DBusError(f"{SERVICE}.Error.Core.NotFound", "No such bearer")
        found.is_connected = False
        found.emit_properties_changed({"Connected": False})
        self.modem.move(REGISTERED)

    @dbus_method()
    def GetStatus(self) -> DBusDict:
        return {"state": Variant("u", self.modem.state)}


class Fake3gpp(ServiceInterface):
    """org.freedesktop.ModemManager1.Modem.Modem3gpp"""

    def __init__(self, modem: FakeModem) -> None:
        super().__init__(f"{SERVICE}.Modem.Modem3gpp")
        self.modem = modem

    @dbus_property(access=READ)
    def Imei(self) -> DBusStr:
        return self.modem.imei

    @dbus_property(access=READ)
    def RegistrationState(self) -> DBusUInt32:
        return 1

    @dbus_property(access=READ)
    def OperatorCode(self) -> DBusStr:
        return "00101"

    @dbus_property(access=READ)
    def OperatorName(self) -> DBusStr:
        return self.modem.operator


class FakeSignal(ServiceInterface):
    """org.freedesktop.ModemManager1.Modem.Signal: it measures once it was asked how often."""

    def __init__(self, modem: FakeModem) -> None:
        super().__init__(f"{SERVICE}.Modem.Signal")
        self.modem = modem
        self.rate = 0

    @dbus_method()
    def Setup(self, rate: DBusUInt32) -> None:
        self.modem.set_up.append(rate)
        if not self.modem.measures_signal:
            raise DBusError(f"{SERVICE}.Error.Core.Unsupported", "Extended signal: unsupported")
        self.rate = rate

    @dbus_property(access=READ)
    def Rate(self) -> DBusUInt32:
        return self.rate

    @dbus_property(access=READ)
    def Lte(self) -> DBusDict:
        if not self.rate or self.modem.rsrp is None:
            return {}
        return {"rssi": Variant("d", -61.0), "rsrp": Variant("d", self.modem.rsrp)}

    @dbus_property(access=READ)
    def Gsm(self) -> DBusDict:
        return {}


class Root(ServiceInterface):
    """org.freedesktop.ModemManager1"""

    def __init__(self) -> None:
        super().__init__(SERVICE)

    @dbus_method()
    def ScanDevices(self) -> None:
        """There is nothing else to find."""

    @dbus_property(access=READ)
    def Version(self) -> DBusStr:
        return "1.20.4"


class FakeModemManager:
    """The service; modems are plugged in and out by the test."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._bus: MessageBus | None = None
        self._number = 0
        self.modems: list[FakeModem] = []
        self.switched: list[str] = []

    async def start(self) -> None:
        self._bus = await MessageBus(bus_address=self._address).connect()
        self._bus.export(PLACE, Root())
        assert await self._bus.request_name(SERVICE) is RequestNameReply.PRIMARY_OWNER

    async def stop(self) -> None:
        assert self._bus is not None
        self._bus.disconnect()

    def new_modem(
        self,
        imei: str = "490154203237518",
        place: str = "/sys/devices/usb1/1-2",
        *,
        net: str = "wwan0",
    ) -> FakeModem:
        modem = FakeModem(self, imei, place, net)
        self.plug_in(modem)
        return modem

    def plug_in(self, modem: FakeModem) -> None:
        self.modems.append(modem)
        modem.path = f"{PLACE}/Modem/{self._next()}"
        self._add(modem.path, modem, FakeSimple(modem), Fake3gpp(modem), FakeSignal(modem))

    def plug_out(self, modem: FakeModem) -> None:
        self.modems.remove(modem)
        for path in modem.bearers:
            self._remove(path)
        modem.bearers = {}
        self._remove(modem.path)

    def restart(self, modem: FakeModem) -> None:
        """Let a modem leave the bus and come back under another path, as after a reset."""
        self.plug_out(modem)
        modem.state = REGISTERED
        asyncio.get_running_loop().call_later(modem.returns_after_s, self.plug_in, modem)

    def add_bearer(self, modem: FakeModem, asked: dict[str, Variant]) -> str:
        bearer = FakeBearer(asked, modem.interface, modem.ip4)
        path = f"{PLACE}/Bearer/{self._next()}"
        modem.bearers[path] = bearer
        self._add(path, bearer)
        return path

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _add(self, path: str, *interfaces: ServiceInterface) -> None:
        assert self._bus is not None
        for interface in interfaces:
            self._bus.export(path, interface)
        names: dict[str, dict[str, Variant]] = {interface.name: {} for interface in interfaces}
        self._signal("InterfacesAdded", "oa{sa{sv}}", [path, names])

    def _remove(self, path: str) -> None:
        assert self._bus is not None
        self._bus.unexport(path)
        self._signal("InterfacesRemoved", "oas", [path, [f"{SERVICE}.Modem"]])

    def _signal(self, member: str, signature: str, body: list[Any]) -> None:
        assert self._bus is not None
        self._bus.send(
            Message.new_signal(
                path=PLACE, interface=OBJECT_MANAGER, member=member, signature=signature, body=body
            )
        )


def static_ip4(address: str = "100.64.0.7", gateway: str = "100.64.0.8") -> dict[str, Variant]:
    return {
        "method": Variant("u", STATIC),
        "address": Variant("s", address),
        "prefix": Variant("u", 28),
        "gateway": Variant("s", gateway),
        "dns1": Variant("s", "100.64.0.53"),
        "mtu": Variant("u", 1430),
    }


@asynccontextmanager
async def modem_manager(address: str) -> AsyncIterator[FakeModemManager]:
    fake = FakeModemManager(address)
    await fake.start()
    try:
        yield fake
    finally:
        await fake.stop()
