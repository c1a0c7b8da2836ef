"""Which node software the server's repository offers (behaviour 6.10).

A channel is a directory below `repository/` of the state directory; what it offers are the Debian
packages of the node in it. There may be none: then nothing is known, and nothing is made up.
"""

import re
from dataclasses import dataclass
from pathlib import Path

PACKAGE = re.compile(r"openbond-node_([0-9][0-9A-Za-z.+~-]*)_[a-z0-9]+\.deb")
STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel and the versions in it, newest first."""

    name: str
    versions: list[str]


def channels(state: Path) -> list[Channel]:
    """Return the channels of the repository by name."""
    directory = state / "repository"
    if not directory.is_dir():
        return []
    found = sorted(path for path in directory.iterdir() if path.is_dir())
    return [Channel(path.name, _versions(path)) for path in found]


def newest_version(state: Path) -> str | None:
    """Return the newest version of the stable channel, or None if it offers none."""
    stable = [channel for channel in channels(state) if channel.name == STABLE]
    return stable[0].versions[0] if stable and stable[0].versions else None


def _versions(directory: Path) -> list[str]:
    matches = [PACKAGE.fullmatch(file.name) for file in directory.iterdir()]
    found = {match[1] for match in matches if match}
    return sorted(found, key=age_of, reverse=True)


def age_of(version: str) -> list[tuple[int, int, str]]:
    """Return a key that grows with the version: numbers as numbers, and `~` before the end."""
    parts = re.findall(r"\d+|[A-Za-z]+|~|[^A-Za-z0-9~]+", version)
    key = [_part(part) for part in parts]
    return [*key, (1, 0, "")]


def _part(part: str) -> tuple[int, int, str]:
    if part == "~":
        return 0, 0, ""
    return (3, int(part), "") if part.isdigit() else (2, 0, part)
