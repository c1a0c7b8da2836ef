"""Record what comes in at an interface of the lab for as long as a `with` lasts."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openbond.lab.waiting import wait_until

from .site import Site
from .wiretap import read_frames

PROGRAM = Path(__file__).with_name("wiretap.py")


class Recording:
    """`frames` is there at any time; all of it once the `with` has ended."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def frames(self) -> list[bytes]:
        return read_frames(self.path)


@contextmanager
def recorded(site: Site, host: str, interface: str, directory: Path) -> Iterator[Recording]:
    """Record what comes in at `interface` of `host`."""
    name = f"record-{host}"
    path = directory / f"{name}-{interface}"
    argv = [sys.executable, str(PROGRAM), "record", interface, str(path)]
    site.lab.programs.start(name, site.lab.host(host).argv(argv))
    wait_until(path.exists, what="the recording runs", patience=10)
    try:
        yield Recording(path)
    finally:
        site.lab.programs.end(name)


def play_back(site: Site, host: str, *words: str) -> None:
    """Run `wiretap.py play …` or `wiretap.py send …` on a host, to its end."""
    site.lab.host(host).run([sys.executable, str(PROGRAM), *words], patience=60)
