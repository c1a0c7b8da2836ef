"""Run the system's programs as argument lists and turn their failures into sentences."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence

from .errors import LabError

PATIENCE = 20.0


def run(argv: Sequence[str], *, given: str | None = None, patience: float = PATIENCE) -> str:
    """Run a program to its end and return what it printed.

    `patience` in seconds. Raises LabError with the program's own words when it fails.
    """
    try:
        done = subprocess.run(
            argv, input=given, capture_output=True, text=True, timeout=patience, check=False
        )
    except FileNotFoundError as missing:
        raise LabError(f"the program {argv[0]!r} is not installed") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"`{' '.join(argv)}` did not end within {patience:g} s") from late
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise LabError(f"`{' '.join(argv)}` failed: {words}")
    return done.stdout


def missing_tools(packages: Mapping[str, str]) -> list[str]:
    """Return, sorted, the packages whose program is missing; `packages`: program to package."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return sorted({name for tool, name in packages.items() if not shutil.which(tool, path=path)})
