"""What operators type: accounts and tokens, and refusals in one sentence."""

import logging
import os
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from typer.testing import CliRunner

from openbond.server.cli import app
from openbond.server.spaces.models import ApiToken, User
from tests.world import World


def run(command: str, **options: object) -> str:
    out = StringIO()
    call_command(command, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def token(verb: str, **options: object) -> str:
    words: dict[str, object] = {"name": "ci", "days": 30, "read_only": False}
    return run("tokens", verb=verb, email="admin@example.net", **(words | options))


def test_one_more_administrator_is_made(world: World) -> None:
    run("create_admin", email="zoe@example.net", password="long enough for zoe")

    zoe = User.objects.get(email="zoe@example.net")
    assert zoe.space == world.root
    assert [group.name for group in zoe.groups.all()] == ["Administrator"]
    assert check_password("long enough for zoe", zoe.password)


def test_an_address_that_is_taken_is_refused_in_words(world: World) -> None:
    with pytest.raises(CommandError, match="Email must be unique"):
        run("create_admin", email="admin@example.net", password="long enough")


def test_a_lost_password_is_replaced_and_the_account_let_in_again(world: World) -> None:
    User.objects.filter(email="admin@example.net").update(active=False)

    run("set_password", email="ADMIN@example.net", password="a new one")

    admin = User.objects.get(email="admin@example.net")
    assert admin.active
    assert check_password("a new one", admin.password)


@pytest.mark.parametrize(
    ("command", "words"),
    [("set_password", {"password": "a new one"}), ("tokens", {"verb": "list"})],
)
def test_an_account_that_is_not_there_is_named(
    world: World, command: str, words: dict[str, object]
) -> None:
    with pytest.raises(CommandError, match=r"There is no account nobody@example\.net"):
        run(command, email="nobody@example.net", **words)


def test_a_token_is_shown_once_and_listed_without_its_text(world: World) -> None:
    text = token("create").removeprefix("Authorization: Token ").strip()

    listed = token("list")

    assert ApiToken.objects.get().name == "ci"
    assert text not in listed
    assert "ci\tfull" in listed
    assert "last used never" in listed


def test_a_revoked_token_is_gone(world: World) -> None:
    token("create", read_only=True)

    token("revoke")

    assert not ApiToken.objects.exists()
    with pytest.raises(CommandError, match="no token named 'ci'"):
        token("revoke")


def test_a_token_longer_than_the_setting_allows_is_refused(world: World) -> None:
    with pytest.raises(CommandError, match="Choose a time from now to"):
        token("create", days=9999)


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets variables and logs for its process, which here is that of the tests."""
    for name in ("OPENBOND_STATE_DIR", "DJANGO_SETTINGS_MODULE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    # A log that goes to the runner's standard error breaks every later test that logs.
    monkeypatch.setattr(logging.getLogger(), "handlers", logging.getLogger().handlers)


@pytest.mark.usefixtures("own_environment")
def test_a_directory_that_no_server_made_is_refused_in_words(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "--state", str(tmp_path)])

    assert done.exit_code == 1
    assert "is no state directory of a server" in done.output


@pytest.mark.usefixtures("own_environment")
def test_an_empty_password_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir()
    (tmp_path / "password").write_text("\n")
    words = ["set-password", "a@b.example", "--password-file", str(tmp_path / "password")]

    done = CliRunner().invoke(app, [*words, "--state", str(tmp_path)])

    assert done.exit_code == 1
    assert "is empty. Write the password into it." in done.output
