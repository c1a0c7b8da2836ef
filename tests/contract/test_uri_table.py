"""The URI table is a promise: every row answers its methods and refuses every other with 405."""

import re
from pathlib import Path

import pytest
from django.urls import resolve

from openbond.server.api.v3 import urls
from tests.contract.uri_table import METHODS, Row, rows
from tests.world import World

ROWS = rows()

# Rows that are not built yet. The list only shrinks: a row that is built and still stands in the
# file fails the run, because xfail is strict.
NOT_BUILT = set(Path(__file__).with_name("not_built.txt").read_text().split())


def marked(rows: list[Row]) -> list[object]:
    unbuilt = pytest.mark.xfail(reason="not built yet", strict=True)
    return [
        pytest.param(row, id=row.uri, marks=[unbuilt] if row.uri in NOT_BUILT else [])
        for row in rows
    ]


def test_the_table_has_96_published_rows_and_10_additions() -> None:
    assert len([row for row in ROWS if row.is_published]) == 96
    assert len([row for row in ROWS if not row.is_published]) == 10


@pytest.mark.parametrize("row", marked(ROWS))
def test_a_row_offers_its_methods_and_no_other(row: Row) -> None:
    view = resolve(row.path).func

    # REST framework hangs `actions` on the function that as_view() returns.
    offered = {method.upper() for method in getattr(view, "actions", {})}
    assert offered & set(METHODS) == row.methods


@pytest.mark.parametrize("row", marked(ROWS))
def test_every_other_method_is_refused_with_405(row: Row, world: World) -> None:
    client = world.client("admin")
    refused = [client.generic(method, row.path) for method in [*row.refused, "TRACE", "LINK"]]

    assert {response.status_code for response in refused} == {405}
    assert {response["Allow"] for response in refused} == {row.allow}
    assert {response.json()["code"] for response in refused} == {"method_not_allowed"}


@pytest.mark.parametrize("row", marked(ROWS))
def test_nobody_is_told_to_log_in_whatever_the_method(row: Row, world: World) -> None:
    nobody = world.nobody()
    answers = [nobody.generic(method, row.path) for method in [*METHODS, "HEAD", "OPTIONS"]]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Basic realm="openbond"'}


@pytest.mark.parametrize("row", marked(ROWS))
def test_without_its_slash_a_read_is_redirected_and_a_write_is_unknown(
    row: Row, world: World
) -> None:
    nobody = world.nobody()
    bare = row.path.rstrip("/")

    assert nobody.get(f"{bare}?page=2").status_code == 301
    assert nobody.get(f"{bare}?page=2")["Location"] == f"{row.path}?page=2"
    assert nobody.head(bare).status_code == 301
    assert nobody.post(bare).status_code == 404


def test_nothing_else_exists_below_the_version() -> None:
    known = {row.path for row in ROWS}
    built = {re.sub(r"<[a-z]+:[a-z_]+>", "1", str(one.pattern)) for one in urls.urlpatterns}

    assert {f"/api/v3/{route}" for route in built} <= known


@pytest.mark.parametrize(
    "path", ["/api/v4/", "/api/v2/bonds/", "/api/v3/bondz/", "/api/v3/bonds/x/", "/api/"]
)
def test_an_unknown_address_is_404_in_json_whoever_asks(path: str, world: World) -> None:
    for client in (world.nobody(), world.client("admin")):
        for method in METHODS:
            response = client.generic(method, path)

            assert response.status_code == 404
            assert response.json() == {"detail": "Not found.", "code": "not_found"}
