"""Where people reach this server: what links in mails begin with."""

from django.conf import settings


def link_to(path: str, *, hostname: str) -> str:
    """Return the address of something below /api/v3/, e.g. "aggregators/3/"."""
    return page_link(f"/api/v3/{path}", hostname=hostname)


def page_link(path: str, *, hostname: str) -> str:
    """Return the address of a page of the site. The name that a request asked for is not taken:
    whoever sent it may have written any.
    """
    root = settings.PUBLIC_URL or f"https://{hostname}"
    return f"{root.rstrip('/')}{path}"
