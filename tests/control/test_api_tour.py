"""docs/guide/api.sh on a real server: it asks for every row of the table, and leaves nothing."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.contract.uri_table import Row, rows
from tests.databases import CHOICE, environment_of_server

from .live import PASSWORD, LiveServer

TOUR = Path(__file__).parent.parent.parent / "docs" / "guide" / "api.sh"
LINE = re.compile(r"^(GET|POST|PUT|PATCH|DELETE) +(\d{3})  (\S+)$", re.MULTILINE)
LOGIN = ("admin@localhost", PASSWORD)

# What a server without nodes and without a backup can only refuse; the tour says so and expects it.
REFUSED = {
    ("GET", "/api/v3/system/status/backups/latest-backup/"),
    ("DELETE", "/api/v3/qos/X/"),
    *(
        ("POST", f"/api/v3/bonds/X/{below}tuners/Z/{verb}/")
        for below in ("", "legs/Y/")
        for verb in ("accept", "decline")
    ),
}
# Routing groups of an allocation are few: nothing to search for.
ONLY_PAGED = "/api/v3/ipallocations/X/assigned_routing_groups/"
COLLECTIONS = [row for row in rows() if {"GET", "POST"} <= row.methods]
EVERYTHING = [
    "spaces", "groups", "users", "routinggroups", "aggregators", "ipallocations", "qos",
    "mobileproviderprofiles", "bonds", "nodes", "settings",
]  # fmt: skip

# It asks some 350 times, each time from a curl of its own.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[LiveServer]:
    """On the database that the tests run on, too."""
    live = LiveServer(
        state=tmp_path_factory.mktemp("tour") / "state",
        environment=environment_of_server("tour"),
        is_blank=CHOICE != "sqlite",
    )
    live.start()
    yield live
    live.stop()


def begin(server: LiveServer, *, login: str = ":".join(LOGIN)) -> subprocess.Popen[str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "OPENBOND_SERVER": server.url,
        "OPENBOND_CA": str(server.state / "ca" / "ca.pem"),
        "OPENBOND_LOGIN": login,
    }
    return subprocess.Popen(
        ["sh", str(TOUR)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def all_there_is(server: LiveServer) -> dict[str, object]:
    with server.client() as client:
        answers = {name: client.get(f"/api/v3/{name}/", auth=LOGIN) for name in EVERYTHING}
    assert {answer.status_code for answer in answers.values()} == {200}
    leave_out = {"last_login"}
    return {
        name: [{k: v for k, v in one.items() if k not in leave_out} for one in found]
        if isinstance(found := answer.json(), list)
        else found
        for name, answer in answers.items()
    }


@pytest.fixture(scope="module")
def before(server: LiveServer) -> dict[str, object]:
    return all_there_is(server)


@pytest.fixture(scope="module")
def told(server: LiveServer, before: dict[str, object]) -> str:
    """What a whole tour prints, after one that was killed in its midst."""
    killed = begin(server)
    assert killed.stdout is not None
    for line in killed.stdout:
        if re.match(r"POST +202 .*/detect_mtus/", line):
            break
    killed.kill()
    killed.communicate()
    assert all_there_is(server) != before

    whole = begin(server)
    printed, _ = whole.communicate()
    assert whole.returncode == 0, printed[-2000:]
    return printed


def asked(told: str, row: Row) -> dict[str, list[int]]:
    """Method → the statuses that it got at this row."""
    pattern = re.compile(re.sub(r"\b[XYZ]\b", "[^/]+", row.uri))
    found: dict[str, list[int]] = defaultdict(list)
    for method, status, address in LINE.findall(told):
        if pattern.fullmatch(urlsplit(address).path):
            found[method].append(int(status))
    return found


# One test for all rows: each would be a test of its own, did not the processes of a run share them
# out, and each then ask the whole tour.
def test_every_row_of_the_table_is_asked_with_each_of_its_methods(told: str) -> None:
    not_done = []
    for row in rows():
        statuses = asked(told, row)
        for method in sorted(row.methods):
            did_it = any(status < 300 for status in statuses[method])
            if not statuses[method] or not (did_it or (method, row.uri) in REFUSED):
                not_done.append(f"{method} {row.uri}: {statuses[method]}")

    assert not not_done


def test_every_list_is_filtered_searched_ordered_and_paged(told: str) -> None:
    lacking = {row.uri: lacks for row in COLLECTIONS if (lacks := lacking_of(told, row))}

    assert len(COLLECTIONS) > 20
    assert not lacking


def lacking_of(told: str, row: Row) -> set[str]:
    """Return the parameters of a list that no request of the tour tries."""
    pattern = re.compile(re.sub(r"\b[XYZ]\b", "[^/]+", row.uri))
    queries = {
        frozenset(dict(parse_qsl(urlsplit(address).query, keep_blank_values=True)))
        for method, _, address in LINE.findall(told)
        if method == "GET" and pattern.fullmatch(urlsplit(address).path)
    }
    forms = {"page_size", "search", "ordering", "exclude_fields"}
    if row.uri == ONLY_PAGED:
        return {"page_size"}.difference(*queries)
    is_filtered = any(query and not query & forms for query in queries)
    return forms.difference(*queries) | (set() if is_filtered else {"a filter"})


def test_nothing_is_left_and_nothing_else_is_changed(
    server: LiveServer, before: dict[str, object], told: str
) -> None:
    assert "The tour is over; nothing of it is left." in told
    assert all_there_is(server) == before


def test_a_wrong_password_ends_it_with_a_clear_message(server: LiveServer) -> None:
    tour = begin(server, login="admin@localhost:wrong")
    printed, _ = tour.communicate()

    assert tour.returncode == 1
    assert "The tour stopped. GET" in printed
    assert "was answered 401, not 200" in printed
    assert "Wrong user name or password." in printed


def test_an_authority_that_is_not_there_is_named(server: LiveServer, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(TOUR)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "OPENBOND_LOGIN": "a:b", "OPENBOND_CA": str(tmp_path / "ca")},
        check=False,
    )

    assert done.returncode == 1
    assert f"Cannot read {tmp_path / 'ca'}" in done.stderr
