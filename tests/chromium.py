"""The system's Chromium, driven by Playwright. No browser is ever downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

# Debian's and Ubuntu's name.
CHROMIUMS = ("chromium", "chromium-browser")


def find_chromium() -> str:
    """Return the path of the program; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        pytest.skip("no chromium here; as root: apt-get install chromium")
    return program


@contextmanager
def open_chromium(program: str | Path) -> Iterator[Browser]:
    """Run a browser for as long as the `with` lasts."""
    with sync_playwright() as playwright:
        # As root there is no sandbox; what is opened is our own server alone.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
