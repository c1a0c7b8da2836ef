"""`openbond node …` as an operator meets it: sentences and exit codes."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from typer.testing import CliRunner, Result

from openbond.node.cli import app
from openbond.node.identity import fingerprint
from openbond.node.paths import Paths
from openbond.node.settings import read_settings
from tests.node.authority import Authority
from tests.node.fake_server import FakeServer

KEY = "NODE-KEY-7"


def openbond_node(root: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--root", str(root)])


@pytest.fixture
def server() -> Iterator[FakeServer]:
    built = FakeServer()
    built.start()
    built.add_node(KEY)
    yield built
    built.stop()


@pytest.fixture
def root() -> Iterator[Path]:
    with TemporaryDirectory(prefix="obc") as place:
        yield Path(place)


def enroll(root: Path, server: FakeServer, *more: str, key: str = KEY) -> Result:
    return openbond_node(root, "enroll", "--server", server.where, "--key", key, *more)


def ca_file(root: Path, authority: Authority) -> str:
    path = root / "given-ca.pem"
    path.write_text(authority.ca_pem)
    return str(path)


def test_enrolling_with_the_servers_ca_writes_who_this_is(root: Path, server: FakeServer) -> None:
    result = enroll(root, server, "--ca", ca_file(root, server.authority))

    assert result.exit_code == 0
    assert result.output == "Enrolled as node 7. Start `openbond node supervisor` now.\n"
    settings = read_settings(Paths(root).settings)
    assert (str(settings.server), settings.node_key) == (server.where, KEY)
    assert Paths(root).settings.stat().st_mode & 0o777 == 0o600


def test_enrolling_with_the_cas_fingerprint_does_too(root: Path, server: FakeServer) -> None:
    result = enroll(root, server, "--ca-fingerprint", fingerprint(server.authority.certificate))

    assert result.exit_code == 0
    assert Paths(root).ca.read_text() == server.authority.ca_pem


@pytest.mark.parametrize("again", [[], ["--ca", "given-ca.pem"]])
def test_enrolling_again_needs_no_ca(root: Path, server: FakeServer, again: list[str]) -> None:
    enroll(root, server, "--ca", ca_file(root, server.authority))
    more = [word.replace("given", str(root / "given")) for word in again]

    assert enroll(root, server, *more).exit_code == 0


def refused(result: Result, code: int, words: str) -> None:
    """One sentence on the error output, the exit code, and no traceback."""
    assert result.exit_code == code, result.output
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_wrong_key_is_one_sentence_and_writes_nothing(root: Path, server: FakeServer) -> None:
    result = enroll(root, server, "--ca", ca_file(root, server.authority), key="WRONG")

    refused(result, 4, "Copy the node key again")
    assert not Paths(root).settings.exists()


def test_a_wrong_ca_is_one_sentence(root: Path, server: FakeServer) -> None:
    refused(enroll(root, server, "--ca", ca_file(root, Authority())), 5, "does not know")


def test_no_ca_at_all_says_how_to_give_one(root: Path, server: FakeServer) -> None:
    refused(enroll(root, server), 5, "`--ca FILE` or `--ca-fingerprint SHA256`")


def test_a_ca_file_that_is_missing_is_named(root: Path, server: FakeServer) -> None:
    refused(enroll(root, server, "--ca", "/no/such/file"), 5, "/no/such/file cannot be read")


def test_an_address_that_is_none_says_what_to_write(root: Path) -> None:
    result = openbond_node(root, "enroll", "--server", "a:b:c:", "--key", KEY)

    refused(result, 1, "write HOST:PORT")


def test_an_empty_key_is_refused(root: Path, server: FakeServer) -> None:
    refused(enroll(root, server, key=" "), 1, "The node key is empty")


@pytest.mark.parametrize("command", ["status", "ping", "fetch"])
def test_without_an_agent_the_questions_say_how_to_start_it(root: Path, command: str) -> None:
    refused(openbond_node(root, command), 1, "start it with `openbond node supervisor`")


def test_a_root_too_long_for_the_kernels_sockets_is_refused(root: Path) -> None:
    refused(openbond_node(root / ("x" * 90), "status"), 1, "too long a path")


def test_a_tunnel_without_settings_says_who_writes_them(root: Path) -> None:
    refused(openbond_node(root, "tunnel", "--bond", "7"), 1, "the agent writes them")
