"""The modem client's program: looks, connects what is not, climbs the ladder, tells (§3.8).

Level by level: each look compares what ModemManager has with what the legs need. A bearer that is
connected as a leg needs it stays, whoever connected it: neither we nor the agent are needed for it.
"""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path

import structlog
from msgspec import structs

from openbond.node import clock, store
from openbond.node.backoff import Backoff
from openbond.node.notes import leave_note
from openbond.node.paths import Paths
from openbond.node.plan.facts import Line

from .assignment import assigned
from .ladder import RUNGS, Ladder, Rung
from .legs import MobileLeg
from .messages import ModemLeg, ModemSettings, facts_path
from .modem_manager import ModemManager, ModemTrouble
from .objects import Modem, line_of, modems_in
from .silence import look_for_silence
from .usb_power import NoSwitch, switch_off_and_on

log = structlog.get_logger()

LOOK_EVERY_S = 5.0
# Signals come in bursts: one look serves them all.
CALM_S = 0.2
SIGNAL_EVERY_S = 10


class ModemClient:
    """Serves all mobile legs of the node; one modem's trouble holds up no other."""

    def __init__(
        self,
        paths: Paths,
        *,
        bus_address: str | None = None,
        rungs: Mapping[Rung, float] = RUNGS,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._paths = paths
        self._rungs = rungs
        self._look_every_s = look_every_s
        self._changed = asyncio.Event()
        self._manager = ModemManager(self._changed.set, bus_address)
        self._legs: dict[int, MobileLeg] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._asked_for_signal: set[str] = set()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; bearers stay connected while a leg needs them."""
        ending = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ending.set)
        serving = asyncio.create_task(self.serve())
        await ending.wait()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        if not self._paths.modem_settings.exists():
            await self.let_go()

    async def let_go(self) -> None:
        """Disconnect everything: no leg of the node is a mobile one any more."""
        await self.look()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self._manager.close()

    async def serve(self) -> None:
        try:
            while True:
                await self.look()
                await clock.wait_at_most(self._look_every_s, self._changed)
                await asyncio.sleep(CALM_S)
                self._changed.clear()
        finally:
            for task in self._working:
                task.cancel()
            await self._manager.close()

    async def look(self) -> None:
        """Compare once, and start what is to be done."""
        wanted = self._settings().legs
        for leg in wanted:
            known = self._legs.setdefault(leg.leg_id, MobileLeg(leg, Ladder(self._rungs)))
            known.asked = leg
        try:
            modems = modems_in(await self._manager.objects())
        except ModemTrouble as trouble:
            for leg in wanted:
                self._tell(leg.leg_id, Line(trouble=str(trouble)))
                self._forget_signal(self._legs[leg.leg_id])
            return
        self._ask_for_signals(modems)
        before = {leg_id: leg.imei for leg_id, leg in self._legs.items() if leg.imei}
        pairs = assigned(wanted, modems, before)
        taken = {modem.imei for modem in pairs.values()}
        self._forget_others(
            {leg.leg_id for leg in wanted}, [modem for modem in modems if modem.imei not in taken]
        )
        silence = await look_for_silence(self._paths.root, (leg.bond_id for leg in wanted))
        for leg in wanted:
            self._serve_leg(self._legs[leg.leg_id], pairs.get(leg.leg_id), silence)

    def _settings(self) -> ModemSettings:
        try:
            return store.read_value(self._paths.modem_settings, ModemSettings) or ModemSettings()
        except store.Damaged as damage:
            log.error("no settings", why=str(damage))
            return ModemSettings()

    def _forget_others(self, wanted: set[int], free: list[Modem]) -> None:
        """Disconnect what no leg needs any more, and take its files away.

        A leg is forgotten once its modem is seen without a connection, or has another leg: a call
        that failed is made again, and one that is under way is waited for.
        """
        told = {int(path.stem) for path in self._paths.modems.glob("*.json")}
        for leg_id in (told | set(self._legs)) - wanted:
            store.remove(self._paths.lines / f"{leg_id}.json")
            store.remove(facts_path(self._paths.modems, leg_id))
        for leg_id in set(self._legs) - wanted:
            leg = self._legs[leg_id]
            if leg.is_busy:
                continue
            connected = next(
                (one for one in free if one.imei == leg.imei and one.is_connected), None
            )
            if connected is None:
                del self._legs[leg_id]
            else:
                self._start(leg, self._disconnect(leg, connected))

    # ------------------------------------------------------------------------------- the signal

    def _ask_for_signals(self, modems: list[Modem]) -> None:
        """Let each modem measure its signal, once: one that cannot says no."""
        ready = {modem.path for modem in modems if modem.can_be_asked_for_signal}
        self._asked_for_signal &= ready
        for path in ready - self._asked_for_signal:
            self._asked_for_signal.add(path)
            self._work_at(self._ask_for_signal(path))

    async def _ask_for_signal(self, path: str) -> None:
        try:
            await self._manager.measure_signal(path, SIGNAL_EVERY_S)
        except ModemTrouble as trouble:
            log.info("the signal is not measured", modem=path, why=str(trouble))

    def _forget_signal(self, leg: MobileLeg) -> None:
        """What a modem said before it was gone is no measurement of now."""
        if leg.modem is not None and leg.modem.facts.signal is not None:
            leg.modem = replace(leg.modem, facts=structs.replace(leg.modem.facts, signal=None))
            self._write(facts_path(self._paths.modems, leg.asked.leg_id), leg.modem.facts)

    # --------------------------------------------------------------------------------- one leg

    def _serve_leg(self, leg: MobileLeg, modem: Modem | None, silence: dict[int, bool]) -> None:
        now = clock.monotonic()
        if leg.asked.leg_id in silence:
            leg.ladder.on_look(is_silent=silence[leg.asked.leg_id], now=now)
        if modem is not None:
            leg.modem, leg.imei = modem, modem.imei
            self._write(facts_path(self._paths.modems, leg.asked.leg_id), modem.facts)
        else:
            self._forget_signal(leg)
        if leg.is_busy:
            return
        rung = leg.ladder.next_rung(now)
        if rung is not None:
            self._start(leg, self._climb(leg, rung))
        elif modem is None:
            self._tell(leg.asked.leg_id, Line(trouble=_missing(leg.asked)))
        else:
            self._connect_if_needed(leg, modem, now)

    def _connect_if_needed(self, leg: MobileLeg, modem: Modem, now: float) -> None:
        bearer = next((one for one in modem.bearers if one.serves(leg.asked)), None)
        if bearer is not None:
            leg.backoff = Backoff()
            self._tell(leg.asked.leg_id, line_of(bearer))
        elif modem.trouble:
            self._tell(leg.asked.leg_id, Line(trouble=modem.trouble))
        elif now >= leg.again_at:
            self._start(leg, self._connect(leg, modem))

    def _start(self, leg: MobileLeg, work: Coroutine[None, None, None]) -> None:
        leg.is_busy = True
        self._work_at(self._do(leg, work))

    def _work_at(self, work: Coroutine[None, None, None]) -> None:
        """Go on beside the looks, until it is done or the client ends."""
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _do(self, leg: MobileLeg, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        finally:
            leg.is_busy = False
            self._changed.set()

    async def _connect(self, leg: MobileLeg, modem: Modem) -> None:
        try:
            # What is connected otherwise, for an APN of before, is in the way.
            await self._disconnect(leg, modem)
            await self._manager.connect(modem.path, leg.asked)
        except ModemTrouble as trouble:
            self._tell(leg.asked.leg_id, Line(trouble=f"the modem does not connect: {trouble}"))
            leg.backoff = leg.backoff.failed()
            leg.again_at = clock.monotonic() + leg.backoff.delay(refused=False, dice=0.5)

    async def _disconnect(self, leg: MobileLeg, modem: Modem) -> None:
        for bearer in modem.bearers:
            if bearer.is_connected:
                with contextlib.suppress(ModemTrouble):
                    await self._manager.disconnect(modem.path, bearer.path)

    # -------------------------------------------------------------------------------- the ladder

    async def _climb(self, leg: MobileLeg, rung: Rung) -> None:
        silent_s = round(leg.ladder.silent_for(clock.monotonic()))
        did = await self._try_rung(leg, rung)
        about = f"leg {leg.asked.leg_id}"
        text = f"nothing was heard for {silent_s} s: {did}"
        log.warning("recovery", about=about, rung=rung, text=text)
        leave_note(self._paths.notes, about=about, text=text, now_ms=clock.wall_ms())

    async def _try_rung(self, leg: MobileLeg, rung: Rung) -> str:
        """Do one step; return in words what was done, or why it was not."""
        modem = leg.modem
        if modem is None:
            return f"no {rung}, the modem is not there"
        try:
            if rung is Rung.RECONNECT:
                await self._disconnect(leg, modem)
                await self._manager.connect(modem.path, leg.asked)
                return "the modem was connected anew"
            if rung is Rung.RESET:
                await self._manager.reset(modem.path)
                return "the modem was reset"
            await switch_off_and_on(modem.place)
        except (ModemTrouble, NoSwitch) as trouble:
            return f"the {rung} did not work: {trouble}"
        return "the power of the modem's USB port was switched off and on"

    # ------------------------------------------------------------------------------------ telling

    def _tell(self, leg_id: int, line: Line) -> None:
        self._write(self._paths.lines / f"{leg_id}.json", line)

    def _write(self, path: Path, value: object) -> None:
        fresh = store.encoded(value)
        if store.read(path) != fresh:
            store.write(path, fresh)


def _missing(leg: ModemLeg) -> str:
    if leg.modem:
        return f"modem {leg.modem} is not there: plug it in, or choose another"
    return "no modem is free: plug one in"
