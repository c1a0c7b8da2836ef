"""The system's Chromium, driven by Playwright. No browser is ever downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

# Debian's and Ubuntu's name.
CHROMIUMS = ("chromium", "chromium-browser")
# What comes, comes at once; a busy machine may need this much.
expect.set_options(timeout=30_000)


def find_chromium() -> str:
    """Return the path of the program; skips the test where there is none."""
    program = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if program is None:
        pytest.skip("no chromium here; as root: apt-get install chromium")
    return program


@contextmanager
def open_chromium(program: str | Path, *words: str) -> Iterator[Browser]:
    """Run a browser for as long as the `with` lasts; `words` are more of its command line."""
    with sync_playwright() as playwright:
        # As root there is no sandbox; what is opened is our own server alone.
        words = ("--no-sandbox", *words)
        opened = playwright.chromium.launch(executable_path=program, args=list(words))
        yield opened
        opened.close()
