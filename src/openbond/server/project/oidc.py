"""Providers of single sign-on, from a file that the operator writes (docs/guide/site.md)."""

import json
import re
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

NEEDED = ("id", "name", "server_url", "client_id", "secret")
ID = re.compile(r"[a-z0-9-]{1,40}")


def oidc_apps(file: Path) -> list[dict[str, Any]]:
    """Return the providers in `file` as allauth takes them; none where there is no file.

    Raises ImproperlyConfigured, with the remedy, for a file that cannot be understood.
    """
    try:
        text = file.read_text()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ImproperlyConfigured(f"{file} cannot be read: {error.strerror}") from error
    try:
        entries = json.loads(text)
    except ValueError as error:
        raise ImproperlyConfigured(f"{file} is no JSON: {error}") from error
    if not isinstance(entries, list):
        raise ImproperlyConfigured(f"{file} must hold a list of providers: [{{…}}, …]")
    return [_app(entry, file) for entry in entries]


def _app(entry: object, file: Path) -> dict[str, Any]:
    if not isinstance(entry, dict) or not all(_is_text(entry.get(name)) for name in NEEDED):
        raise ImproperlyConfigured(
            f"{file}: each provider needs {', '.join(NEEDED)}, each a text that is not empty"
        )
    if not ID.fullmatch(entry["id"]):
        raise ImproperlyConfigured(f"{file}: an id has small letters, digits and hyphens only")
    if not entry["server_url"].startswith("https://"):
        raise ImproperlyConfigured(f"{file}: server_url must begin with https://")
    return {
        "provider_id": entry["id"],
        "name": entry["name"],
        "client_id": entry["client_id"],
        "secret": entry["secret"],
        "settings": {"server_url": entry["server_url"]},
    }


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
