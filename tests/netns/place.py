"""Network namespaces for tests: made under unique names, removed with everything in them."""

import ctypes
import os
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *argv: str, check: bool = True) -> str:
        """Run a program inside and return what it printed."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.name, *argv], capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
        return done.stdout

    def ip(self, words: str) -> str:
        return self.run("ip", *words.split())

    def start(self, *argv: str, log: Path, **more: Any) -> "subprocess.Popen[bytes]":
        """Start a program inside; the caller ends it."""
        with log.open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.name, *argv],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                **more,
            )

    def inside(self, work: Callable[[], T]) -> T:
        """Run a function in a thread that lives in this namespace."""
        answers: list[T] = []
        errors: list[BaseException] = []

        def enter() -> None:
            try:
                self._enter()
                answers.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return answers[0]

    def _enter(self) -> None:
        descriptor = os.open(f"/run/netns/{self.name}", os.O_RDONLY)
        try:
            if _libc.setns(descriptor, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(descriptor)


@contextmanager
def namespaces(*words: str) -> Iterator[list[Namespace]]:
    """Make namespaces with loopback up; remove them afterwards, whatever happened."""
    mark = uuid.uuid4().hex[:8]
    made = [Namespace(f"obt-{word}-{mark}") for word in words]
    try:
        for namespace in made:
            subprocess.run(["ip", "netns", "add", namespace.name], check=True)
            namespace.ip("link set lo up")
        yield made
    finally:
        for namespace in made:
            subprocess.run(["ip", "netns", "del", namespace.name], check=False)


def cable(one: Namespace, interface: str, other: Namespace, far: str, *, up: bool = False) -> None:
    """Join two namespaces by a veth pair; the far end is up, the near one only if asked."""
    one.ip(f"link add {interface} type veth peer name {far} netns {other.name}")
    other.ip(f"link set {far} up")
    if up:
        one.ip(f"link set {interface} up")
