"""Where people reach this server: what links in mails begin with."""

from django.conf import settings


def link_to(path: str, *, hostname: str) -> str:
    """Return the address of something below /api/v3/, e.g. "aggregators/3/"."""
    root = settings.PUBLIC_URL or f"https://{hostname}"
    return f"{root.rstrip('/')}/api/v3/{path}"
