from pathlib import Path

import pytest

from openbond.node.errors import NotEnrolled
from openbond.node.settings import (
    BadSettings,
    NodeSettings,
    ServerAddress,
    read_address,
    read_settings,
)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.1:8443", "192.0.2.1", 8443),
        ("bonds.example.net", "bonds.example.net", 443),
        ("[2001:db8::1]:8443", "2001:db8::1", 8443),
        ("2001:db8::1", "2001:db8::1", 443),
    ],
)
def test_an_address_is_a_host_and_perhaps_a_port(text: str, host: str, port: int) -> None:
    assert read_address(text) == ServerAddress(host, port)
    assert read_address(str(ServerAddress(host, port))) == ServerAddress(host, port)


@pytest.mark.parametrize(
    "text", ["", ":8443", "a:0", "a:99999", "a:https", "a:b:c", "https://a", "a b"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadSettings, match="write HOST:PORT, for example"):
        read_address(text)


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    settings = NodeSettings(ServerAddress("192.0.2.1", 8443), "KEY-1", route_table=55)
    path = tmp_path / "bonding.conf"
    path.write_bytes(settings.text())

    assert read_settings(path) == settings


def test_a_comment_and_an_empty_line_say_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bonding.conf"
    path.write_text("# ours\n\nserver = a:1 # here\nnode_key = K\n")

    assert read_settings(path).server == ServerAddress("a", 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("server = a:1\n", "has no line `node_key = …`"),
        ("node_key = K\n", "has no line `server = …`"),
    ],
)
def test_a_missing_line_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "bonding.conf"
    path.write_text(text)

    with pytest.raises(NotEnrolled, match=sentence):
        read_settings(path)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("sever = a:1", "line 3: 'sever = a:1' is none of: server, node_key"),
        ("nonsense", "line 3: 'nonsense' is none of"),
        ("route_table = main", "route_table = 'main' is no table number"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "bonding.conf"
    path.write_text(f"server = a:1\nnode_key = K\n{line}\n")

    with pytest.raises(BadSettings, match=sentence):
        read_settings(path)


def test_a_machine_without_the_file_is_told_how_to_enrol(tmp_path: Path) -> None:
    with pytest.raises(NotEnrolled, match="run `openbond node enroll"):
        read_settings(tmp_path / "bonding.conf")
