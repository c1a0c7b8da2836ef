"""The server's clock; everything below the doors takes `now` as an argument."""

from datetime import UTC, datetime


def server_time() -> datetime:
    return datetime.now(UTC)
