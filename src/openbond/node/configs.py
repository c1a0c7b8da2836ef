"""The configs a node keeps: last-good, the one before, and the one being tried (§1.3, §1.8)."""

from enum import StrEnum

from msgspec import Struct

from openbond.wire.config import Envelope

from . import store
from .paths import Paths


class StoredConfig(Struct, frozen=True, kw_only=True):
    """A config with the certificate that vouches for it, as it came."""

    envelope: Envelope
    signer: str  # PEM


class Stage(StrEnum):
    """How far a config got that is not last-good yet."""

    APPLYING = "applying"
    CONFIRMED = "confirmed"


class Journal(Struct, frozen=True, kw_only=True):
    """Written before the first step, so that a killed agent knows where it stood."""

    stage: Stage
    config: StoredConfig
    steps: list[str]


class ConfigStore:
    """The configs on disk; every change is one renamed file."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def last_good(self) -> StoredConfig | None:
        """Raises Damaged."""
        return store.read_value(self._paths.last_good, StoredConfig)

    def previous(self) -> StoredConfig | None:
        """Raises Damaged."""
        return store.read_value(self._paths.previous, StoredConfig)

    def journal(self) -> Journal | None:
        """Return what was going on when the agent ended; a damaged journal says nothing."""
        try:
            return store.read_value(self._paths.journal, Journal)
        except store.Damaged:
            return None

    def begin(self, config: StoredConfig, steps: list[str]) -> None:
        self._write(Journal(stage=Stage.APPLYING, config=config, steps=steps))

    def confirm(self, config: StoredConfig) -> None:
        """Make a config last-good, the older one previous; may be cut off anywhere and redone."""
        self._write(Journal(stage=Stage.CONFIRMED, config=config, steps=[]))
        self.finish(config)

    def finish(self, config: StoredConfig) -> None:
        """Do what a confirmed journal asks for, again if need be."""
        older = store.read(self._paths.last_good)
        fresh = store.encoded(config)
        if older is not None and older != fresh:
            store.write(self._paths.previous, older, mode=store.PRIVATE)
        store.write(self._paths.last_good, fresh, mode=store.PRIVATE)
        self.forget_journal()

    def forget_journal(self) -> None:
        store.remove(self._paths.journal)

    def _write(self, journal: Journal) -> None:
        store.write_value(self._paths.journal, journal, mode=store.PRIVATE)
