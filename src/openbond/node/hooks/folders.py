"""Which files are the hooks of an object, in which order, and which may not be started (§1.11)."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from openbond.node.plan.values import HookKind

ROOT = 0
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

# kind → folder (`all`, `default`, an id) → names in byte order
Folders: TypeAlias = dict[str, dict[str, list[str]]]


def read_folders(place: Path) -> Folders:
    """Return what lies in the hook folders below `place` (/etc/bonding) now."""
    return {kind.value: _folders_of(place / f"{kind}.d") for kind in HookKind}


def _folders_of(place: Path) -> dict[str, list[str]]:
    try:
        folders = [entry for entry in place.iterdir() if entry.is_dir()]
        return {folder.name: list(_executables(folder)) for folder in folders}
    except OSError:
        return {}


def _executables(folder: Path) -> Iterator[str]:
    for name in sorted(os.listdir(os.fsencode(folder))):
        path = folder / os.fsdecode(name)
        # A file that nobody may execute is a note of the operator's, not a hook.
        if path.is_file() and path.stat().st_mode & 0o111:
            yield path.name


def hooks_of(folders: Folders, kind: HookKind, ident: int) -> list[str]:
    """Return the hooks of one object in the order of their start, as paths below the place."""
    known = folders.get(kind.value, {})
    own = str(ident) if str(ident) in known else "default"
    return [f"{kind}.d/{name}/{hook}" for name in ("all", own) for hook in known.get(name, [])]


def has_hooks(place: Path) -> bool:
    return any(names for kind in read_folders(place).values() for names in kind.values())


def distrust(place: Path, hook: str, *, owner: int = ROOT) -> str:
    """Return why a hook must not be started, "" when it may: root alone can change it.

    The way there counts too: who may write a folder may put another file in the place of a hook.
    """
    try:
        target = (place / hook).resolve(strict=True)
        parts = target.relative_to(place.resolve()).parts
    except OSError:
        return "it is gone"
    except ValueError:
        return f"it leads out of {place}: put the file itself there"
    here = place.resolve()
    for part in ("", *parts):
        here = here / part
        found = here.stat()
        if found.st_uid != owner:
            return f"{here} does not belong to root: chown root {here}"
        if found.st_mode & OTHERS_MAY_WRITE:
            return f"others than root may write {here}: chmod go-w {here}"
    return ""
