from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openbond.server.fleet.rules import (
    KEY_SYMBOLS,
    default_name,
    hostname,
    is_recent,
    node_key,
    node_status,
)

NOW = datetime(2026, 3, 5, tzinfo=UTC)


@given(st.integers(0, 2**80 - 1))
def test_a_node_key_spells_eighty_bits_without_look_alikes(bits: int) -> None:
    key = node_key(bits)

    assert len(key) == 19
    assert {len(part) for part in key.split("-")} == {4}
    number = 0
    for symbol in key.replace("-", ""):
        number = number * 32 + KEY_SYMBOLS.index(symbol)
    assert number == bits
    assert not set("ILOU") & set(key)


@given(st.integers(0, 36**8 - 1))
def test_a_default_name_ends_in_eight_letters_or_digits(number: int) -> None:
    name = default_name(number)

    assert name.startswith("default-")
    assert len(name) == 16
    assert name[8:].isascii()
    assert name[8:].isalnum()
    assert name == name.lower()


@pytest.mark.parametrize(
    ("space", "node", "wanted"),
    [
        ("Root", "agg-tor-1", "root-agg-tor-1"),
        ("Acme", "default-k3v9x0ab", "acme-default-k3v9x0ab"),
        ("Acme & Söhne", "site 1/2", "acme-s-hne-site-1-2"),
        ("x" * 60, "y" * 60, "x" * 60 + "-yy"),
    ],
)
def test_a_hostname_is_space_and_node_made_host_safe(space: str, node: str, wanted: str) -> None:
    assert hostname(space_name=space, node_name=node) == wanted


@pytest.mark.parametrize(
    ("silent_for", "status"),
    [(None, "unknown"), (0, "up"), (180, "up"), (181, "down")],
)
def test_a_node_is_down_after_its_time_of_silence(silent_for: int | None, status: str) -> None:
    heard = None if silent_for is None else NOW - timedelta(seconds=silent_for)

    assert node_status(last_connected=heard, timeout_seconds=180, now=NOW) == status


def test_recent_means_within_seven_days() -> None:
    assert is_recent(last_connected=NOW - timedelta(days=7), now=NOW)
    assert not is_recent(last_connected=NOW - timedelta(days=7, seconds=1), now=NOW)
    assert not is_recent(last_connected=None, now=NOW)
