"""A node's config, to be looked at by people: without its secrets, and compared line by line."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from openbond.wire.canonical import canonical_bytes

from .models import PublishedConfig
from .publish import content_of

SECRETS = frozenset({"secret", "password"})
MASK = "(hidden)"
CONTEXT_LINES = 3


class LineKind(StrEnum):
    SAME = "same"
    OLD = "old"
    NEW = "new"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class DiffLine:
    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class ConfigLook:
    """What a node shall know, and what it said that it does.

    `wanted`: as compiled now, JSON for people. `revision`: the newest that was made for the node;
    `applied_revision`: the newest it applied. `compared_to`: the revision whose content `diff`
    begins from; None if no such content is kept. `has_hidden_change`: a secret differs.
    """

    wanted: str
    revision: int
    applied_revision: int
    applied: datetime | None
    published: datetime | None
    is_published: bool
    last_error: str
    problems: list[dict[str, str]]
    compared_to: int | None
    diff: list[DiffLine]
    has_hidden_change: bool


def look_at_config(node_id: int) -> ConfigLook:
    """Return the config of a node that the caller found through a viewer. Raises NoSuchNode."""
    content = canonical_bytes(content_of(node_id))
    config = PublishedConfig.objects.filter(pk=node_id).first() or PublishedConfig(pk=node_id)
    kept = bytes(config.kept_content)
    is_known = bool(kept) and config.kept_revision == config.applied_revision
    wanted = _for_people(content)
    diff = list(differences(_for_people(kept), wanted)) if is_known else []
    return ConfigLook(
        wanted=wanted,
        revision=config.revision,
        applied_revision=config.applied_revision,
        applied=config.applied,
        published=config.published,
        is_published=content == bytes(config.content),
        last_error=config.last_error,
        problems=config.problems,
        compared_to=config.kept_revision if is_known else None,
        diff=diff,
        has_hidden_change=is_known and not diff and kept != content,
    )


def _for_people(content: bytes) -> str:
    if not content:
        return ""
    return json.dumps(_masked(json.loads(content)), indent=2, ensure_ascii=False)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: MASK if name in SECRETS and inner else _masked(inner)
            for name, inner in value.items()
        }
    return [_masked(inner) for inner in value] if isinstance(value, list) else value


def differences(old: str, new: str) -> Iterator[DiffLine]:
    """Yield what changed, with some lines around it; nothing where nothing did."""
    kinds = {"-": LineKind.OLD, "+": LineKind.NEW, "@": LineKind.GAP}
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=CONTEXT_LINES)
    for number, line in enumerate(lines):
        if number < 2:  # the names of two files
            continue
        kind = kinds.get(line[0], LineKind.SAME)
        yield DiffLine(kind, "…" if kind is LineKind.GAP else line[1:])
