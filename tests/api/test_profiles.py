"""QoS profiles and mobile provider profiles (06-qos-mobile.md)."""

from typing import Any

from openbond.server.bonds.models import Bond, Leg, MobileProviderProfile
from openbond.server.bonds.services import create_leg, create_mobile_provider_profile
from openbond.server.qos.models import QosProfile
from openbond.server.system.actors import SERVER
from openbond.wire.states import LegType
from tests.contract.field_tables import fields_of
from tests.world import World, nodes_to_update, settle_updates

QOS = "/api/v3/qos/"
MOBILE = "/api/v3/mobileproviderprofiles/"
JSON = "application/json"


def default(world: World) -> str:
    return f"{QOS}{QosProfile.objects.get(is_default=True).pk}/"


def mobile(world: World, *, space: Any = None, name: str = "Example") -> str:
    row = create_mobile_provider_profile(
        by=SERVER, space=space or world.acme, name=name, apn="a.example", password="p"
    )
    return f"{MOBILE}{row.pk}/"


def mobile_leg(world: World, url: str, bond: Bond) -> Leg:
    row = MobileProviderProfile.objects.get(pk=url.split("/")[-2])
    return create_leg(
        by=SERVER,
        bond=bond,
        type=LegType.MOBILEBROADBAND,
        down_kbps=1000,
        up_kbps=1000,
        provider_profile=row,
    )


def test_installation_makes_the_default_profile(world: World) -> None:
    profile = world.client("admin").get(default(world)).json()

    assert (profile["name"], profile["overhead_margin"]) == ("Default", 5)
    shares = [(one["name"], one["bandwidth"], one["default"]) for one in profile["classes"]]
    assert shares == [
        ("Real-time", 40, False),
        ("Interactive", 20, False),
        ("Routine", 20, True),
        ("Bulk", 20, False),
    ]
    assert [one["position"] for one in profile["filters"]] == list(range(1, 14))
    assert set(profile["classes"][0]) == set(fields_of("qos_class"))
    assert all(set(one) == set(fields_of("qos_filter")) for one in profile["filters"])
    ids = {one["name"]: one["id"] for one in profile["classes"]}
    assert profile["filters"][0]["class"] == ids["Real-time"]
    assert profile["filters"][12]["class"] == ids["Bulk"]


def test_only_name_margin_and_space_change_and_bonds_learn_the_margin(world: World) -> None:
    Bond.objects.filter(pk=world.bond.pk).update(
        qos_profile=QosProfile.objects.get(is_default=True)
    )
    client = world.client("admin")
    before = client.get(default(world)).json()
    settle_updates()

    response = client.patch(default(world), {"overhead_margin": 12.5, "classes": []}, JSON)

    assert response.status_code == 200
    assert response.json()["overhead_margin"] == 12.5
    assert response.json()["classes"] == before["classes"]
    assert nodes_to_update() == {"site-1", "home"}


def test_a_margin_has_one_decimal_and_its_limits(world: World) -> None:
    client = world.client("admin")

    for margin in (-1, 50.1, 5.55, "x"):
        response = client.patch(default(world), {"overhead_margin": margin}, JSON)
        assert list(response.json()) == ["overhead_margin"], margin


def test_a_profile_in_use_stays_and_its_bonds_are_listed(world: World) -> None:
    Bond.objects.update(qos_profile=QosProfile.objects.get(is_default=True))
    client = world.client("admin")

    assert client.delete(default(world)).json()["code"] == "in_use"
    bonds = world.client("ana").get(f"{default(world)}bonds/").json()
    assert [bond["name"] for bond in bonds] == ["site-1"]
    assert world.client("ana").get(default(world)).json()["bond_count"] == 1
    assert client.get(default(world)).json()["bond_count"] == 2


def test_the_default_profile_may_be_deleted(world: World) -> None:
    assert world.client("admin").delete(default(world)).status_code == 204


def test_a_shared_profile_is_read_only(world: World) -> None:
    client = world.client("ana")

    assert client.get(default(world)).json()["space"] is None
    for method in ("PUT", "PATCH", "DELETE"):
        response = client.generic(method, default(world), "{}", content_type=JSON)
        assert (response.status_code, response.json()["code"]) == (403, "shared_read_only")


def test_a_mobile_profile_in_use_stays_and_says_by_how_many(world: World) -> None:
    url = mobile(world)
    mobile_leg(world, url, world.bond)
    client = world.client("ana")

    response = client.delete(url)

    assert response.status_code == 400
    assert response.json() == {"code": "in_use", "detail": "The profile is used by 1 leg."}
    Leg.objects.filter(provider_profile__isnull=False).delete()
    assert client.delete(url).status_code == 204
    assert client.delete(url).status_code == 404


def test_counts_look_at_the_whole_installation_unless_the_profile_is_shared(
    world: World,
) -> None:
    url = mobile(world, space=world.root)
    for bond in (world.bond, world.globex_bond):
        mobile_leg(world, url, bond)

    own = world.client("admin").get(url).json()
    shared = world.client("ana").get(url).json()

    assert (own["leg_count"], own["password"]) == (2, "p")
    assert (shared["leg_count"], shared["space"]) == (1, None)
    assert "password" not in shared


def test_a_new_login_is_told_to_the_bonders(world: World) -> None:
    url = mobile(world)
    mobile_leg(world, url, world.bond)
    settle_updates()
    client = world.client("ana")

    client.patch(url, {"note": "x"}, JSON)
    assert nodes_to_update() == set()
    client.patch(url, {"apn": "b.example"}, JSON)

    assert nodes_to_update() == {"site-1"}


def test_an_apn_is_of_certain_characters(world: World) -> None:
    response = world.client("ana").patch(mobile(world), {"apn": "a b"}, JSON)

    assert response.json() == {"apn": ["Use letters, digits, -, . and _ only."]}


def test_another_space_s_profile_does_not_exist(world: World) -> None:
    url = mobile(world)

    assert world.client("gil").get(url).status_code == 404
    assert world.client("gil").patch(url, {"note": "x"}, JSON).status_code == 404


def test_bonds_of_a_profile_need_both_codes(world: World) -> None:
    path = f"{default(world)}bonds/"

    for codes, answer in (
        (["view_qosprofile"], "permission_denied"),
        (["view_bond"], "permission_denied"),
        (["view_bond", "view_qosprofile"], None),
    ):
        world.restrict("ana", *codes)
        response = world.client("ana").get(path)
        code = None if response.status_code == 200 else response.json()["code"]
        assert code == answer, codes


def test_profiles_are_not_made_by_the_api(world: World) -> None:
    response = world.client("admin").post(QOS, {"name": "New"}, JSON)

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_names_are_unique_in_a_space_and_may_repeat_in_another(world: World) -> None:
    mobile(world, name="Example")
    sent = {"name": "EXAMPLE", "apn": "a"}
    client = world.client("admin")

    assert client.post(MOBILE, sent | {"space": "acme"}, JSON).json() == {
        "name": ["Name must be unique."]
    }
    other = client.post(MOBILE, sent | {"space": "globex"}, JSON)
    assert other.status_code == 201
    moved = client.patch(other.json()["url"], {"space": "acme"}, JSON)
    assert moved.json() == {"name": ["Name must be unique."]}
    assert client.get(other.json()["url"]).json()["space"].endswith(f"/{world.globex.pk}/")


def test_a_profile_stays_usable_for_every_bond_that_uses_it(world: World) -> None:
    """Written nothing: neither the space nor what was sent beside it."""
    url = mobile(world, space=world.root)
    mobile_leg(world, url, world.bond)
    mobile_leg(world, url, world.globex_bond)
    Bond.objects.update(qos_profile=QosProfile.objects.get(is_default=True))
    client = world.client("admin")

    for path in (url, default(world)):
        before = client.get(path)
        refused = client.patch(path, {"space": "acme", "name": "Moved"}, JSON)
        assert (refused.status_code, list(refused.json())) == (400, ["space"])
        assert client.get(path)["ETag"] == before["ETag"]
