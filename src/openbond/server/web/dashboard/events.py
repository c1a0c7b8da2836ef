"""Sends the live part of a page to whoever has it open, when something changed in it.

Not a Django view: an open stream must hold no thread and no connection of the database, like the
held polls of nodes. All viewers of one page with the same reach and codes look through one window:
it asks the database once per tick, whether one looks through it or a hundred. Whether their
sessions still live is asked for all of them together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, ParamSpec, TypeAlias, TypeVar

import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.utils import timezone

from openbond.server.control.desk import Desk
from openbond.server.control.requests import Receive, Scope, Send
from openbond.server.spaces.selectors import viewer_in_space
from openbond.server.spaces.viewer import Viewer
from openbond.server.web.sessions import Seat, seats_of

from .scenes import PREFIX, Scene, scene_at

TICK_SECONDS = 2.0
SECONDS_BETWEEN_CHECKS = 10.0
HEARTBEAT_SECONDS = 15.0
# All looks together take a tenth of one processor at most.
PAUSE_PER_LOOK = 9.0

P = ParamSpec("P")
T = TypeVar("T")
Run: TypeAlias = Callable[..., Awaitable[Any]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

GONE = b"event: gone\ndata: -\n\n"
HEARTBEAT = b": still here\n\n"
SIGNED_OUT = b"event: signed-out\ndata: -\n\n"
STREAM: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Watcher:
    """One open page: whose, and what is still to be sent to it. None ends it."""

    session_key: str
    seat: Seat
    scene: Scene
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(maxsize=4))

    def give(self, event: bytes | None) -> None:
        """Hand on an event; who is too slow misses what a newer one replaces anyway."""
        if self.queue.full():
            self.queue.get_nowait()
        self.queue.put_nowait(event)


@dataclass(slots=True)
class Window:
    """What all watchers of one page at one seat look through."""

    seat: Seat
    scene: Scene
    watchers: list[Watcher] = field(default_factory=list)
    seen: object = None
    event: bytes = b""


class LivePages:
    """Streams below one address, as ASGI; lives on one event loop from start() to stop()."""

    path = PREFIX

    def __init__(self, *, run: Run | None = None, tick: float = TICK_SECONDS) -> None:
        self._desk = Desk(threads=1) if run is None else None
        self._run: Run = run or self._at_the_desk
        self._tick = tick
        self._windows: dict[tuple[Scene, Seat], Window] = {}
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._failing = False

    async def start(self) -> None:
        self._task = asyncio.create_task(self._go_on())

    def end(self) -> None:
        """End every stream, now and later: the server stops."""
        self._closing = True
        for watcher in self._watchers():
            watcher.give(None)

    async def stop(self) -> None:
        self.end()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._desk:
            self._desk.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scene = scene_at(scope["path"])
        seat, status = await self._let_in(scope) if scene else (None, 404)
        if seat is None or scene is None:
            await _refuse(send, status)
            return
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        key = session_key_of(scope["headers"])
        await self._serve(Watcher(key, seat, scene), receive, send)

    async def look(self) -> None:
        """Look through every window once, and tell those who watch what changed."""
        for window in list(self._windows.values()):
            seen = await self._run(_seen_from, window.seat, window.scene)
            if seen is None:
                self._close(window)
            elif seen != window.seen:
                window.seen = seen
                window.event = await self._run(_event_of, window.scene, seen)
                for watcher in window.watchers:
                    watcher.give(window.event)

    async def check(self) -> None:
        """End the streams of those whose session ended or whose rights changed."""
        watchers = self._watchers()
        if watchers:
            keys = sorted({watcher.session_key for watcher in watchers})
            seats = await self._run(seats_of, keys)
            self._send_away(
                [each for each in watchers if seats.get(each.session_key) != each.seat],
                still_in=set(seats),
            )

    def _close(self, window: Window) -> None:
        """End the streams of a page that is not there any more, or not theirs to see."""
        for watcher in window.watchers:
            watcher.give(GONE)
            watcher.give(None)

    def _send_away(self, watchers: list[Watcher], *, still_in: set[str]) -> None:
        """End streams. Whoever is still signed in comes back by himself, and sees what he may."""
        for watcher in list(watchers):
            if watcher.session_key not in still_in:
                watcher.give(SIGNED_OUT)
            watcher.give(None)

    async def _let_in(self, scope: Scope) -> tuple[Seat | None, int]:
        """Return from where the asker looks, or the status of the refusal."""
        if scope["method"] != "GET":
            return None, 405
        if self._closing:
            return None, 503
        key = session_key_of(scope["headers"])
        seats: Mapping[str, Seat] = await self._run(seats_of, [key]) if key else {}
        return seats.get(key), 401

    async def _go_on(self) -> None:
        clock = asyncio.get_running_loop().time
        checked, spent = clock(), 0.0
        while True:
            # Where a look takes long, there are the fewer of them.
            await asyncio.sleep(max(self._tick, spent * PAUSE_PER_LOOK))
            began = clock()
            try:
                if began - checked >= SECONDS_BETWEEN_CHECKS:
                    checked = began
                    await self.check()
                await self.look()
                self._failing = False
            except DatabaseError as error:
                if not self._failing:
                    log.error("what live pages show cannot be read", error=str(error))
                self._failing = True
            except Exception:
                log.exception("live pages failed")
            spent = clock() - began

    async def _serve(self, watcher: Watcher, receive: Receive, send: Send) -> None:
        place = watcher.scene, watcher.seat
        window = self._windows.setdefault(place, Window(watcher.seat, watcher.scene))
        window.watchers.append(watcher)
        if window.event:
            watcher.give(window.event)
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await self._pass_on(watcher, gone, send)
        finally:
            gone.cancel()
            window.watchers.remove(watcher)
            if not window.watchers:
                self._windows.pop(place, None)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pass_on(self, watcher: Watcher, gone: "asyncio.Task[None]", send: Send) -> None:
        await send(_body(b"retry: 3000\n\n"))
        while not gone.done():
            coming = asyncio.create_task(watcher.queue.get())
            await asyncio.wait(
                {coming, gone}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not coming.done():
                coming.cancel()
                await send(_body(HEARTBEAT))
                continue
            event = coming.result()
            if event is None:
                return
            await send(_body(event))

    def _watchers(self) -> list[Watcher]:
        return [watcher for window in self._windows.values() for watcher in window.watchers]

    async def _at_the_desk(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._desk is None:
            raise RuntimeError("made without a desk")
        return await self._desk.run(work, *args, **kwargs)


def session_key_of(headers: Headers) -> str:
    """Return the key of the session in the Cookie header; "" where there is none."""
    text = b"; ".join(value for name, value in headers if name == b"cookie").decode("latin-1")
    try:
        found = SimpleCookie(text).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return ""
    return found.value if found else ""


def _seen_from(seat: Seat, scene: Scene) -> object:
    """Return what is seen from a seat; from home where the space switched to is not in reach."""
    user, codes = seat.user, seat.codes
    home = Viewer(user, codes=codes)
    if not scene.is_narrow:
        return scene.look(home, timezone.now())
    viewer = viewer_in_space(user, codes=codes, space_id=seat.space_id)
    return scene.look(viewer or home, timezone.now())


def _event_of(scene: Scene, seen: object) -> bytes:
    html = scene.drawn(seen)
    lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
    return f"event: {scene.event}\n{lines}\n".encode()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(event: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": event, "more_body": True}


async def _refuse(send: Send, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
