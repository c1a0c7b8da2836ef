"""ModemManager over D-Bus: its objects, and the few methods that are called of it."""

import asyncio
from collections.abc import Callable
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.unpack import unpack_variants

from openbond.node.errors import NodeError

from .messages import ModemLeg
from .objects import (
    AUTH_PAP_OR_CHAP,
    IP_FAMILY_IPV4,
    MODEM,
    PLACE,
    SERVICE,
    SIGNAL,
    SIMPLE,
    Objects,
)

ANSWER_WITHIN_S = 20.0
# Registering in a strange network takes its time; ModemManager itself gives up after 180 s.
CONNECTED_WITHIN_S = 190.0


class ModemTrouble(NodeError):
    """ModemManager, or a modem behind it, does not do what it was asked for."""


class ModemManager:
    """One connection to the bus; opened when needed, and again when it was lost."""

    def __init__(self, changed: Callable[[], None], address: str | None = None) -> None:
        self._changed = changed
        self._address = address
        self._bus: MessageBus | None = None

    async def objects(self) -> Objects:
        """Return everything ModemManager has. Raises ModemTrouble."""
        reply = await self._call(PLACE, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        found: Objects = unpack_variants(reply[0])
        return found

    async def connect(self, modem: str, leg: ModemLeg) -> str:
        """Enable a modem, register it and connect a bearer; return the bearer's path.

        Raises ModemTrouble.
        """
        asked = {
            "apn": Variant("s", leg.apn),
            "ip-type": Variant("u", IP_FAMILY_IPV4),
        }
        if leg.username or leg.password:
            asked["user"] = Variant("s", leg.username)
            asked["password"] = Variant("s", leg.password)
            asked["allowed-auth"] = Variant("u", AUTH_PAP_OR_CHAP)
        reply = await self._call(
            modem, SIMPLE, "Connect", "a{sv}", [asked], within_s=CONNECTED_WITHIN_S
        )
        return str(reply[0])

    async def disconnect(self, modem: str, bearer: str) -> None:
        """Raises ModemTrouble."""
        await self._call(modem, SIMPLE, "Disconnect", "o", [bearer])

    async def reset(self, modem: str) -> None:
        """Restart a modem; it leaves the bus and comes back. Raises ModemTrouble."""
        await self._call(modem, MODEM, "Reset")

    async def measure_signal(self, modem: str, every_s: int) -> None:
        """Let a modem measure its signal in dBm from now on. Raises ModemTrouble."""
        await self._call(modem, SIGNAL, "Setup", "u", [every_s])

    async def close(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    async def _call(
        self,
        path: str,
        interface: str,
        member: str,
        signature: str = "",
        body: list[object] | None = None,
        *,
        within_s: float = ANSWER_WITHIN_S,
    ) -> list[Any]:
        message = Message(
            destination=SERVICE,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=body or [],
        )
        try:
            async with asyncio.timeout(within_s):
                bus = await self._connected()
                reply = await bus.call(message)
        except TimeoutError as late:
            raise ModemTrouble(f"{member} was not done within {within_s:g} s") from late
        except (OSError, EOFError) as error:
            self._bus = None
            raise ModemTrouble(f"the system's D-Bus cannot be reached: {error}") from error
        if reply is None or reply.message_type is MessageType.ERROR:
            raise ModemTrouble(_refusal(reply))
        return list(reply.body)

    async def _connected(self) -> MessageBus:
        if self._bus is None or not self._bus.connected:
            bus = MessageBus(bus_address=self._address, bus_type=BusType.SYSTEM)
            await bus.connect()
            bus.add_message_handler(self._on_message)
            rule = f"type='signal',sender='{SERVICE}'"
            await bus.call(
                Message(
                    destination="org.freedesktop.DBus",
                    path="/org/freedesktop/DBus",
                    interface="org.freedesktop.DBus",
                    member="AddMatch",
                    signature="s",
                    body=[rule],
                )
            )
            self._bus = bus
        return self._bus

    def _on_message(self, message: Message) -> None:
        if message.message_type is MessageType.SIGNAL:
            self._changed()


def _refusal(reply: Message | None) -> str:
    if reply is None:
        return "no answer"
    if reply.error_name in (
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
    ):
        return "ModemManager does not run: install the Debian package modemmanager"
    words = reply.body[0] if reply.body and isinstance(reply.body[0], str) else reply.error_name
    return str(words)
