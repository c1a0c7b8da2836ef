"""The zip of a backup: parts with size and SHA-256 in a manifest, and whether all is whole."""

import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK_BYTES = 1 << 20


class BackupDamaged(Exception):
    """A file is no backup, or not whole; the message says what is wrong."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. `migrations`: the last one of each app that the database knows."""

    format: int
    created: str
    software: str
    database: str  # vendor
    migrations: dict[str, str]
    parts: list[Part]


def write_archive(path: Path, parts: dict[str, Path], manifest: Manifest) -> None:
    """Write a zip of files (name in the zip → file) and a manifest that tells their hashes."""
    listed = [_part(name, file) for name, file in sorted(parts.items())]
    whole = msgspec.structs.replace(manifest, parts=listed)
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(whole)))
        for name, file in sorted(parts.items()):
            archive.write(file, name)


def read_manifest(path: Path) -> Manifest:
    """Return the manifest of a backup. Raises BackupDamaged."""
    with _opened(path) as archive:
        return _manifest(path, archive)


def check_archive(path: Path) -> Manifest:
    """Read every part of a backup and compare it with the manifest. Raises BackupDamaged."""
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        listed = {part.name for part in manifest.parts}
        unlisted = set(archive.namelist()) - listed - {MANIFEST}
        if unlisted:
            raise BackupDamaged(f"{path.name} holds {min(unlisted)}, which its manifest does not.")
        for part in manifest.parts:
            _check_part(path, archive, part)
    return manifest


def extract(path: Path, name: str, target: Path) -> None:
    """Write one part to a file, mode 0600. Raises BackupDamaged."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _opened(path) as archive, archive.open(name) as source, target.open("xb") as sink:
        target.chmod(0o600)
        while chunk := source.read(CHUNK_BYTES):
            sink.write(chunk)


def digest(chunks: Iterator[bytes]) -> tuple[int, str]:
    """Return size and SHA-256 of what comes in chunks."""
    size, sha256 = 0, hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        sha256.update(chunk)
    return size, sha256.hexdigest()


def _part(name: str, file: Path) -> Part:
    with file.open("rb") as stream:
        size, sha256 = digest(iter(lambda: stream.read(CHUNK_BYTES), b""))
    return Part(name=name, size=size, sha256=sha256)


def _check_part(path: Path, archive: zipfile.ZipFile, part: Part) -> None:
    try:
        with archive.open(part.name) as stream:
            found = digest(iter(lambda: stream.read(CHUNK_BYTES), b""))
    except KeyError:
        raise BackupDamaged(f"{path.name} lacks {part.name}.") from None
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise BackupDamaged(f"{path.name}: {part.name} cannot be read: {error}.") from error
    if found != (part.size, part.sha256):
        raise BackupDamaged(f"{path.name}: {part.name} is not what the manifest says.")


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    try:
        manifest = msgspec.json.decode(archive.read(MANIFEST), type=Manifest)
    except (KeyError, msgspec.DecodeError, zipfile.BadZipFile) as error:
        raise BackupDamaged(f"{path.name} is no backup of an openbond server.") from error
    if manifest.format > FORMAT:
        raise BackupDamaged(f"{path.name} is a backup of a newer openbond. Install that version.")
    return manifest


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise BackupDamaged(f"{path} cannot be read as a zip file: {error}.") from error
    with archive:
        yield archive
