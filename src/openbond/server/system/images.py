"""Provisioning images: the ISO files that were built (behaviour 6.11)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PROFILES = {
    "openbond-node-key.iso": "node_key",
    "openbond-no-key.iso": "no_key",
    "openbond-static-ip.iso": "static_ip",
}


@dataclass(frozen=True, slots=True)
class Image:
    """An ISO file. `size` in bytes."""

    path: Path
    size: int
    created: datetime

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def profile(self) -> str:
        return PROFILES[self.name]


def built_images(state: Path) -> list[Image]:
    """Return the images that were built, in the order of their profiles."""
    found = [_image(state / "isos" / name) for name in PROFILES]
    return [image for image in found if image is not None]


def _image(path: Path) -> Image | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    created = datetime.fromtimestamp(status.st_mtime, tz=UTC)
    return Image(path=path, size=status.st_size, created=created)
