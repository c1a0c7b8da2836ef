"""Aggregators and the bonds that name them (01-fleet.md, 3)."""

from openbond.server.fleet.models import Aggregator, Tombstone
from openbond.server.fleet.services import create_aggregator
from openbond.server.system.actors import SERVER
from tests.world import World, nodes_to_update, settle_updates

AGGREGATORS = "/api/v3/aggregators/"
JSON = "application/json"


def url(world: World) -> str:
    return f"{AGGREGATORS}{world.home.pk}/"


def test_post_makes_one_in_the_caller_s_space_and_its_config_is_queued(world: World) -> None:
    settle_updates()

    response = world.client("ana").post(
        AGGREGATORS, {"name": "agg-1", "ip": "203.0.113.5", "password": "x"}, JSON
    )

    assert response.status_code == 201
    made = response.json()
    assert response["Location"] == made["url"]
    assert made["space"] == f"http://testserver/api/v3/spaces/{world.acme.pk}/"
    assert made["routing_group"].endswith(f"/routinggroups/{world.group.pk}/")
    assert made["password"] == "x"
    assert nodes_to_update() == {"agg-1"}


def test_names_and_addresses_are_unique(world: World) -> None:
    client = world.client("admin")

    name = client.post(AGGREGATORS, {"name": "HOME", "ip": "203.0.113.5"}, JSON)
    ip = client.post(AGGREGATORS, {"name": "new", "ip": world.home.ip}, JSON)

    assert name.json() == {"name": ["Name must be unique."]}
    assert list(ip.json()) == ["ip"]
    assert Aggregator.objects.count() == 2


def test_addresses_must_be_of_one_host(world: World) -> None:
    client = world.client("admin")
    body = {"name": "new", "ip": "203.0.113.5"}

    for ip in (
        "224.0.0.1",
        "0.0.0.1",
        "255.255.255.255",
        "::1",
        "203.0.113.256",
        "x",
        "1.2.3.4/24",
    ):
        assert list(client.post(AGGREGATORS, body | {"ip": ip}, JSON).json()) == ["ip"], ip
    for ip in ("ff02::1", "::", "1.2.3.4", "fe80::1%eth0"):
        assert list(client.post(AGGREGATORS, body | {"ipv6": ip}, JSON).json()) == ["ipv6"], ip
    made = client.post(AGGREGATORS, body | {"ipv6": "2001:DB8:0:0::0001"}, JSON)
    assert made.json()["ipv6"] == "2001:db8::1"


def test_counts_are_of_bonds_within_reach(world: World) -> None:
    def counts(name: str) -> list[int]:
        found = world.client(name).get(url(world)).json()
        return [found[f"bond{kind}_count"] for kind in ("", "_secondary", "_current")]

    assert counts("admin") == [2, 0, 2]
    assert counts("ana") == [1, 0, 1]
    assert counts("eve") == [0, 0, 0]


def test_the_three_lists_of_bonds(world: World) -> None:
    def names(path: str, who: str = "ana") -> list[str]:
        return [bond["name"] for bond in world.client(who).get(path).json()]

    home, away = url(world), f"{AGGREGATORS}{world.away.pk}/"
    assert names(f"{home}bonds/") == ["site-1"]
    assert names(f"{home}bonds/", "admin") == ["site-1", "globex-1"]
    assert names(f"{home}bonds_current/") == ["site-1"]
    assert names(f"{home}bonds_secondary/") == []
    assert names(f"{away}bonds_secondary/") == ["site-1"]


def test_the_lists_need_both_codes_and_an_aggregator_in_reach(world: World) -> None:
    client = world.client("ana")
    assert client.get(f"{AGGREGATORS}9999/bonds/").status_code == 404

    for code in ("view_aggregator", "view_bond"):
        world.restrict("ana", code)
        assert client.get(f"{url(world)}bonds/").status_code == 403


def test_what_is_shared_is_read_only(world: World) -> None:
    client = world.client("ana")

    for method in ("PUT", "PATCH", "DELETE"):
        response = client.generic(method, url(world), "{}", content_type=JSON)
        assert (response.status_code, response.json()["code"]) == (403, "shared_read_only")


def test_another_space_s_aggregator_does_not_exist(world: World) -> None:
    own = create_aggregator(by=SERVER, name="own", ip="203.0.113.7", space=world.acme)

    for name, status in (("ana", 200), ("eve", 200), ("gil", 404)):
        found = world.client(name).get(f"{AGGREGATORS}{own.pk}/").status_code
        assert found == status


def test_writing_a_password_needs_its_own_code(world: World) -> None:
    world.restrict("admin", "change_aggregator", "view_aggregator")
    client = world.client("admin")

    assert client.patch(url(world), {"password": "x"}, JSON).status_code == 403
    assert client.patch(url(world), {"note": "x"}, JSON).status_code == 200
    world.home.refresh_from_db()
    assert world.home.password == ""


def test_timeouts_must_fit_the_interval_in_force(world: World) -> None:
    client = world.client("admin")

    late = client.patch(url(world), {"failover_receive_timeout": 30}, JSON)
    fits = client.patch(url(world), {"failover_receive_timeout": 30, "failover_interval": 60}, JSON)

    assert list(late.json()) == ["failover_receive_timeout"]
    assert fits.status_code == 200


def test_delete_is_refused_while_a_bond_names_it_visible_or_not(world: World) -> None:
    client = world.client("admin")

    response = client.delete(url(world))

    assert (response.status_code, response.json()["code"]) == (400, "in_use")
    assert Aggregator.objects.filter(pk=world.home.pk).exists()


def test_delete_leaves_nothing_and_again_is_404(world: World) -> None:
    unused = create_aggregator(by=SERVER, name="unused", ip="203.0.113.7", space=world.acme)
    client = world.client("ana")

    first = client.delete(f"{AGGREGATORS}{unused.pk}/")
    second = client.delete(f"{AGGREGATORS}{unused.pk}/")

    assert (first.status_code, first.content, second.status_code) == (204, b"", 404)
    assert Tombstone.objects.filter(node_id=unused.pk).exists()


def test_a_relation_may_be_named_in_every_way(world: World) -> None:
    client = world.client("admin")
    ways = [
        world.acme.pk,
        str(world.acme.pk),
        "acme",
        "ACME",
        {"id": world.acme.pk},
        {"key": "acme"},
        {"url": f"/api/v3/spaces/{world.acme.pk}/", "id": 4711},
        f"https://elsewhere.example:1/api/v3/spaces/{world.acme.pk}/",
        "/api/v3/spaces/acme/",
        f"http://x//api//v3/spaces/{world.acme.pk}/?page=1",
    ]

    for number, way in enumerate(ways):
        body = {"name": f"agg-{number}", "ip": f"203.0.113.{number + 1}", "space": way}
        made = client.post(AGGREGATORS, body, JSON)
        assert made.status_code == 201, (way, made.json())
        assert made.json()["space"].endswith(f"/spaces/{world.acme.pk}/")


def test_a_relation_that_leads_nowhere_is_an_error_on_its_field(world: World) -> None:
    client = world.client("ana")
    body = {"name": "agg-1", "ip": "203.0.113.1"}
    absent = {"space": ["Invalid hyperlink - Object does not exist."]}

    for way in (
        99999,
        "99999",
        0,
        -1,
        10**30,
        True,
        1.5,
        [1],
        {},
        {"url": {"id": 1}},
        {"name": "acme"},
        "nowhere",
        "/api/v3/bonds/1/",
        "/api/v3/spaces/1/legs/",
        "http://[",
        world.globex.pk,
        world.root.pk,
        "globex",
    ):
        response = client.post(AGGREGATORS, body | {"space": way}, JSON)
        assert (response.status_code, response.json()) == (400, absent), way
