"""Reads of the installation's own rows."""

from .models import Settings


def current_settings() -> Settings:
    """Return the settings; the defaults where none were ever written."""
    return Settings.objects.filter(pk=1).first() or Settings(pk=1)
