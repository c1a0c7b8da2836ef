"""schemathesis asks every operation of the OpenAPI document, and checks what it is answered.

An administrator, ana (who may do everything, but in her space only) and nobody ask.
Each operation gets requests that fit the document and requests that do not, the same in every run,
at objects that are there and at some that are not. Each request is undone before the next.

The long run, on a server and with what one request leaves for the next, is in CONTRIBUTING.md.
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi import checks

from openbond.server.api.authentication import login_delays
from openbond.server.api.documents import openapi
from tests.contract.uri_table import Row, rows
from tests.world import World, create_world

OPERATIONS = [(row, method) for row in rows() for method in sorted(row.methods)]
# Requests to each operation, by who asks. The file takes some 60 ms of a core for each.
EXAMPLES = {"admin": 3, "ana": 2, "nobody": 1}

# 00-general.md, 4.5, 4.6 and 5: unknown fields, read-only fields and unknown query arguments are
# ignored, and numbers and booleans may come as strings. The document tells the one right form; the
# other tests of the contract say which wrong ones are refused.
ALWAYS_LEFT_OUT = [checks.negative_data_rejection]
# A body may fit and still be refused for what no schema can say: that a relation exists and is in
# reach, that a name is free, that two fields fit together, that nothing needs the object.
LEFT_OUT_OF_WRITES = [*ALWAYS_LEFT_OUT, checks.positive_data_acceptance]

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """One world for the module, in a transaction that is never committed."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield create_world()
        transaction.set_rollback(True)
    login_delays.forget()


@pytest.fixture(scope="module")
def ids(world: World) -> dict[str, int]:
    """The last part of a collection's address → an object in it that nothing else needs."""
    bond = f"bonds/{world.bond.pk}/"
    leg = {"down_speed": 5, "up_speed": 1}
    found: dict[str, int] = {}

    def make(collection: str, body: dict[str, Any]) -> int:
        path = f"/api/v3/{collection}"
        answer = world.client("admin").post(path, body, content_type="application/json")
        assert answer.status_code == 201, answer.content
        found[collection.rstrip("/").rpartition("/")[2]] = made = answer.json()["id"]
        return int(made)

    make("aggregators/", {"name": "spare", "ip": "203.0.113.9", "space": "acme"})
    make("routinggroups/", {"name": "Spare"})
    make("groups/", {"name": "Spare"})
    make("users/", {"email": "spare@example.net", "space": "acme"})
    make("spaces/", {"name": "Spare", "key": "spare", "parent": "acme"})
    provider = make("mobileproviderprofiles/", {"name": "M", "apn": "a", "space": "acme"})
    network = make("ipallocations/", {"network": "203.0.113.0/24", "space": world.root.pk})
    make(f"ipallocations/{network}/assigned_routing_groups/", {"routing_group": world.group.pk})
    given = {"network": "203.0.113.0/25", "space": "acme", "parent": network}
    make("ipallocations/", given)
    found["delegated_ip_allocations"] = found["ipallocations"]
    found["ip_allocations"] = found["allocation"] = found["ipallocations"] = network
    make(f"{bond}dhcp_legs/", {"interface": "eth11", **leg})
    net = {"ip": "192.0.2.2", "netmask": "30", "gateway": "192.0.2.1"}
    make(f"{bond}static_legs/", {"interface": "eth12", **net, **leg})
    login = {"username": "line9", "password": "secret"}
    make(f"{bond}pppoe_legs/", {"interface": "eth13", **login, **leg})
    make(f"{bond}mobilebroadband_legs/", {"provider_profile": provider, **leg})
    make(f"{bond}connected_ips/", {"interface": "eth0", "ip": "192.168.10.1/24"})
    make(f"{bond}cpe_nat_ips/", {"ip": "203.0.113.9", "dest_nat_ip": "192.168.10.2"})
    make(f"{bond}routes/", {"network": "192.168.20.0/24", "gateway": "192.168.10.254"})
    make(f"{bond}speedtests/", {})
    # Of two tunings only one can be under way; the bond's has ended, the leg's goes on.
    found["bond_tuning"] = make(f"{bond}tuners/", {})
    tuning = f"/api/v3/{bond}tuners/{found['bond_tuning']}/cancel/"
    assert world.client("admin").post(tuning).status_code == 200
    return found


@pytest.fixture(scope="module")
def described(world: World, ids: dict[str, int]) -> Iterator[Any]:
    load_all_checks()
    schemathesis.openapi.format("cidr", st.ip_addresses().map(str))
    schema = schemathesis.openapi.from_dict(deepcopy(openapi()))
    schema.app = get_wsgi_application()
    schema.config.generation.update(with_security_parameters=False)
    # A request would close a connection that is in a transaction; Django's own client, which was
    # the last to ask, does the same around each of its requests.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield schema
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def places(path: str, world: World, ids: dict[str, int]) -> dict[str, object]:
    """What stands in the place of each parameter of a path."""
    known = {
        "bond_id": world.bond.pk,
        "leg_id": world.dhcp_leg.pk,
        "allocation_id": ids["allocation"],
        "space": "root" if "/ip_allocations/" in path else "acme",
    }
    if "{pk}" in path:
        collection = path.partition("/{pk}")[0].rpartition("/")[2]
        known["pk"] = {
            "nodes": world.bonder.pk,
            "bonders": world.bonder.pk,
            "bonds": world.bond.pk,
            "legs": world.dhcp_leg.pk,
            "qos": 1,
            "tuners": ids["bond_tuning"],
            **{name: made for name, made in ids.items() if name != "tuners"},
        }[collection]
    return {name: known[name] for name in re.findall(r"{(\w+)}", path)}


@pytest.mark.parametrize("caller", EXAMPLES)
@pytest.mark.parametrize(
    ("row", "method"),
    [pytest.param(row, method, id=f"{method} {row.uri}") for row, method in OPERATIONS],
)
def test_an_operation_answers_as_the_document_says(
    row: Row, method: str, caller: str, described: Any, world: World, ids: dict[str, int]
) -> None:
    path = next(path for path in described if re.sub(r"{\w+}", "1", path) == row.path)
    operation = described[path][method]
    headers = {} if caller == "nobody" else {"Authorization": world.basic(caller)}
    there = places(path, world, ids)
    left_out = ALWAYS_LEFT_OUT if method == "GET" else LEFT_OUT_OF_WRITES

    @settings(
        max_examples=EXAMPLES[caller],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=st.one_of(
            operation.as_strategy(GenerationMode.POSITIVE, path_parameters=there),
            operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=there),
            operation.as_strategy(GenerationMode.POSITIVE),
        )
    )
    def ask(case: Any) -> None:
        with transaction.atomic():
            response = case.call(headers=headers)
            case.validate_response(response, headers=headers, excluded_checks=left_out)
            transaction.set_rollback(True)

    ask()
