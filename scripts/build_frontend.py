"""Copy what the site's pages are made of from the npm registry into the package.

    scripts/build_frontend.py        npm ci from frontend/package-lock.json, then copy

Nothing of others lies in the repository: the folder that is written is ignored by git and goes into
the wheel. What is there already, made from the same lock file and this very script, is left alone.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent.parent
FRONTEND = HERE / "frontend"
PACKAGES = FRONTEND / "node_modules"
MADE = HERE / "src/openbond/server/web/static/vendor"
STAMP = MADE / ".made-from"

COPIED = {
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "uplot/dist/uPlot.iife.min.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
}
TABLER = "@tabler/core/dist/css/tabler.min.css"
DARK = "[data-bs-theme=dark]"
# Whoever chose nothing has no attribute, and gets what his system says.
BY_SYSTEM = ":root:not([data-bs-theme])"


def main() -> int:
    fingerprint = _fingerprint()
    if PACKAGES.is_dir() and STAMP.exists() and STAMP.read_text() == fingerprint:
        return 0
    if shutil.which("npm") is None:
        print("setup: npm is missing; as root: apt-get install -y npm", file=sys.stderr)
        return 1
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(["npm", "ci", *quiet], cwd=FRONTEND, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir(parents=True)
    for source, name in COPIED.items():
        (MADE / name).write_bytes(_without_map((PACKAGES / source).read_bytes()))
    tabler = _without_map((PACKAGES / TABLER).read_bytes()).decode()
    (MADE / "tabler.css").write_text(with_dark_by_system(tabler))
    STAMP.write_text(fingerprint)
    return 0


def with_dark_by_system(sheet: str) -> str:
    """Repeat each rule for dark pages, for whoever chose none but whose system is dark.

    Tabler knows dark only by an attribute, and an attribute needs a script that runs before the
    first paint. A media query needs none.
    """
    return re.sub(r"(?<=[}/;])([^{}@;]*)\{([^{}]*)\}", _repeated, sheet)


def _repeated(rule: re.Match[str]) -> str:
    selectors = [
        BY_SYSTEM + part.strip().removeprefix(":root").removeprefix(DARK)
        for part in rule[1].split(",")
        if part.strip().removeprefix(":root").startswith(DARK)
    ]
    if not selectors:
        return rule[0]
    repeated = f"{','.join(selectors)}{{{rule[2]}}}"
    return f"{rule[0]}@media (prefers-color-scheme:dark){{{repeated}}}"


def _without_map(content: bytes) -> bytes:
    """Drop the pointer to a source map that we do not serve."""
    return re.sub(rb"(//|/\*)# sourceMappingURL=\S+( \*/)?\s*$", b"", content)


def _fingerprint() -> str:
    parts = [FRONTEND / "package-lock.json", Path(__file__)]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
