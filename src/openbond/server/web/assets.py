"""Style sheets, scripts and icons: under names that hold their content, compressed, for ever.

A name that changes with the content may be kept by a browser for a year, and a new version is seen
at once. Everything lies in memory: it is less than a megabyte.
"""

import gzip
import hashlib
import importlib.util
import re
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

ROOT = Path(__file__).parent / "static"
# Scripts that allauth brings for passkeys.
PACKAGES = {"mfa": "allauth.mfa", "account": "allauth.account"}
PREFIX = "/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
HASHED = re.compile(r"(?P<stem>.+)\.(?P<mark>[0-9a-f]{12})(?P<suffix>\.[a-z]+)")
FOR_EVER = "public, max-age=31536000, immutable"


class AssetMissing(Exception):
    """A template names a file that is not there."""


@dataclass(frozen=True, slots=True)
class Asset:
    url: str
    mark: str
    type: str
    content: bytes
    compressed: bytes


_kept: dict[str, tuple[int, Asset]] = {}
# A page names an icon forty times: a look at a file counts for so long.
LOOK_SECONDS = 1.0
_looked: dict[str, float] = {}


def asset_url(name: str) -> str:
    """Return the address of `name`, a path below web/static. Raises AssetMissing."""
    found = _asset(name)
    if found is None:
        raise AssetMissing(f"There is no {ROOT / name}. Run scripts/setup, which makes vendor/.")
    return found.url


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponse:
    """Answer with a file by its hashed name; an outdated mark gets what is there now."""
    parts = HASHED.fullmatch(name)
    found = _asset(f"{parts['stem']}{parts['suffix']}") if parts else None
    if parts is None or found is None:
        raise Http404
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(found.compressed if packed else found.content, content_type=found.type)
    if packed:
        response["Content-Encoding"] = "gzip"
    response["Cache-Control"] = FOR_EVER if found.mark == parts["mark"] else "no-cache"
    patch_vary_headers(response, ["Accept-Encoding"])
    return response


def _asset(name: str) -> Asset | None:
    """Return the file as it is now; whoever works on it need not start the server anew."""
    now = time.monotonic()
    if now < _looked.get(name, 0.0):
        return _kept[name][1]
    path = _root(name.partition("/")[0]) / name
    if ".." in path.parts or "\0" in name or path.suffix not in TYPES or not path.is_file():
        return None
    changed = path.stat().st_mtime_ns
    if name not in _kept or _kept[name][0] != changed:
        _kept[name] = changed, _read(name, path)
    _looked[name] = now + LOOK_SECONDS
    return _kept[name][1]


@lru_cache
def _root(folder: str) -> Path:
    found = importlib.util.find_spec(PACKAGES[folder]) if folder in PACKAGES else None
    return Path(found.origin).parent / "static" if found and found.origin else ROOT


def _read(name: str, path: Path) -> Asset:
    content = path.read_bytes()
    mark = hashlib.sha256(content).hexdigest()[:12]
    return Asset(
        url=f"{PREFIX}{name.removesuffix(path.suffix)}.{mark}{path.suffix}",
        mark=mark,
        type=TYPES[path.suffix],
        content=content,
        compressed=gzip.compress(content, mtime=0),
    )
