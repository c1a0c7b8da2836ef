"""What operators type: accounts and tokens, and refusals in one sentence."""

import json
import logging
import os
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from typer.testing import CliRunner, Result

from openbond.server.bonds.services import update_bond
from openbond.server.cli import app
from openbond.server.qos.models import QosProfile
from openbond.server.spaces.models import ApiToken, User
from openbond.server.system.actors import SERVER
from openbond.server.system.services import update_settings
from tests.mail_server import MailServer
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


@pytest.fixture
def made_state(tmp_path: Path, own_environment: None) -> Path:
    """A directory that passes for a server's; the database is that of the tests."""
    (tmp_path / "state" / "ca").mkdir(parents=True)
    return tmp_path / "state"


def typed(state: Path, *words: str) -> Result:
    """Run `openbond server` as an operator types it."""
    return CliRunner().invoke(app, [*words, "--state", str(state)])


def test_the_audit_is_read_newest_first_and_narrowed(world: World, made_state: Path) -> None:
    update_bond(by=world.viewer("ana"), bond=world.bond, note="one")
    update_bond(by=world.viewer("gil"), bond=world.globex_bond, note="two")

    newest = typed(made_state, "audit", "--lines", "1")
    of_ana = typed(made_state, "audit", "--actor", "ANA@example.net", "--kind", "bond")
    of_one = typed(made_state, "audit", "--kind", "bond", "--id", str(world.bond.pk))

    assert json.loads(newest.output)["after"] == {"note": "two"}
    assert json.loads(of_ana.output)["before"] == {"note": ""}
    assert {json.loads(line)["name"] for line in of_one.output.splitlines()} == {"site-1"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(
            ["--kind", "bonds"], "nothing of kind 'bonds'. It has: aggregator, bond", id="kind"
        ),
        pytest.param(["--id", "7"], "give --kind as well", id="id alone"),
        pytest.param(["--lines", "0"], "'--lines'", id="no lines"),
        pytest.param(["--days", "-1"], "'--days'", id="days to come"),
        pytest.param(["--kind", "bond", "--id", "9" * 30], "'--id'", id="endless id"),
    ],
)
def test_what_the_audit_cannot_be_asked_is_said_in_words(
    world: World, made_state: Path, words: list[str], told: str
) -> None:
    done = typed(made_state, "audit", *words)

    assert done.exit_code != 0
    assert told in done.output
    assert "Traceback" not in done.output


def test_a_profile_that_was_shown_can_be_changed_and_loaded(
    world: World, made_state: Path, tmp_path: Path
) -> None:
    shown = typed(made_state, "qos-profile", "show", "default")
    file = tmp_path / "voice.json"
    file.write_text(shown.output.replace('"Default"', '"Voice"'))

    made = typed(made_state, "qos-profile", "load", str(file), "--space", "ACME")
    again = typed(made_state, "qos-profile", "show", "Voice", "--space", "acme")

    profile = QosProfile.objects.get(name="Voice", space=world.acme)
    assert f"QoS profile Voice of Acme has id {profile.pk}." in made.output
    assert again.output == file.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["show", "Nobody's"], "has no QoS profile named", id="no such profile"),
        pytest.param(
            ["show", "Default", "--space", "mars"], "no space with the key 'mars'", id="space"
        ),
        pytest.param(["load", "/nowhere/at.all"], "Cannot read /nowhere/at.all", id="no such file"),
        pytest.param(["load", __file__], "This is no QoS profile", id="not JSON"),
    ],
)
def test_a_profile_that_cannot_be_shown_or_loaded_is_refused_in_words(
    world: World, made_state: Path, words: list[str], told: str
) -> None:
    done = typed(made_state, "qos-profile", *words)

    assert done.exit_code == 1
    assert told in done.output
    assert "Traceback" not in done.output


def test_a_test_mail_is_sent_at_once(world: World) -> None:
    with MailServer() as relay:
        update_settings(
            by=SERVER, email_from="openbond@example.net", email_host="127.0.0.1",
            email_port=relay.port,
        )  # fmt: skip

        said = run("send_test_mail", address="noc@example.net")

    assert relay.mails[0]["To"] == "noc@example.net"
    assert said == "The relay 127.0.0.1 took a mail for noc@example.net.\n"


@pytest.mark.parametrize(
    ("sender", "words"),
    [("", "give email_from"), ("openbond@example.net", "look at email_host, email_port")],
)
def test_a_test_mail_that_cannot_be_sent_says_what_to_look_at(
    world: World, sender: str, words: str
) -> None:
    update_settings(by=SERVER, email_from=sender, email_host="127.0.0.1", email_port=1)

    with pytest.raises(CommandError, match=words):
        run("send_test_mail", address="noc@example.net")


def test_measuring_limits_are_set_shown_and_inherited(world: World) -> None:
    run("measuring_limits", limits=["test_mb=500", "wait_minutes=60"], space="acme")
    below = run("measuring_limits", limits=["test_mb=100"], space="acme-east")
    inherited = run("measuring_limits", limits=["test_mb=inherit"], space="acme-east")

    assert "test_mb 100\n" in below
    assert "wait_minutes 60\n" in below
    assert "test_mobile_mb 250\n" in below
    assert "test_mb 500\n" in inherited
    assert "test_mb 2000\n" in run("measuring_limits", space="globex")


@pytest.mark.parametrize(
    ("limits", "space", "words"),
    [
        (["test_mb"], "acme", "'test_mb' is no limit: write NAME=NUMBER"),
        (["test_mb=-1"], "acme", "is no limit"),
        (["test_mb=0"], "acme", "test_mb: A limit is a whole number from 1 to"),
        (["bytes=5"], "acme", "bytes: There are the limits test_mb"),
        (["test_mb=5"], "nowhere", "There is no space with the key 'nowhere'"),
    ],
)
def test_measuring_limits_that_are_none_are_refused_in_words(
    world: World, limits: list[str], space: str, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        run("measuring_limits", limits=limits, space=space)


def test_maintenance_is_begun_listed_and_ended(world: World) -> None:
    begun = run("maintenance", verb="begin", bond=world.bond.pk, hours=1)
    listed = run("maintenance", verb="list")
    ended = run("maintenance", verb="end", bond=world.bond.pk)

    assert begun.startswith(f"Begun: maintenance of bond {world.bond.pk} until ")
    assert f"maintenance of bond {world.bond.pk}" in listed
    assert ended == "Ended: maintenance of site-1.\n"
    assert run("maintenance", verb="list") == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "Give either --bond ID or --space KEY"),
        ({"bond": 1, "space": "acme"}, "Give either --bond ID or --space KEY"),
        ({"bond": 999}, "There is no bond 999"),
        ({"space": "nowhere"}, "There is no space with the key 'nowhere'"),
        ({"space": "acme"}, "There is no maintenance of Acme now"),
    ],
)
def test_maintenance_of_nothing_is_refused_in_words(
    world: World, options: dict[str, object], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        run("maintenance", verb="end", **options)
