"""The editor of QoS profiles: rows that move, faults beside their rows, one write or none."""

from dataclasses import asdict
from typing import Any

import pytest

from openbond.server.bonds.services import update_bond
from openbond.server.fleet.models import ConfigUpdate
from openbond.server.qos.models import QosProfile
from openbond.server.qos.rules import DEFAULT_CLASSES, DEFAULT_FILTERS, ClassSpec, FilterSpec
from openbond.server.qos.selectors import parts_of
from openbond.server.qos.services import create_qos_profile
from openbond.server.system.actors import SERVER
from openbond.server.web.qos.editor import Editor
from openbond.server.web.qos.views import EditProfile
from tests.web.signed_in import signed_in
from tests.world import World, settle_updates

CLASSES = (ClassSpec("Voice", 40, copies=2), ClassSpec("Rest", 60, is_default=True))
FILTERS = (
    FilterSpec(
        "Voice",
        "SIP",
        ip_version="4",
        protocol="udp",
        ports="5060-5061",
        network="192.0.2.0/24",
        dscp=46,
        min_packet_size=1,
        max_packet_size=500,
        min_flow_size=2,
        max_flow_size=3000,
        max_packet_rate=200,
    ),
    FilterSpec("Rest", protocol="tcp", tcp_ack=True),
)


def sent(editor: Editor, **changes: str) -> dict[str, str]:
    """Return the form as a browser would send it."""
    form = {
        "name": editor.name,
        "overhead_margin": editor.margin,
        "default": editor.default,
        "opened": editor.opened,
    }
    for word, rows in (
        ("class", [asdict(row) for row in editor.classes]),
        ("filter", [asdict(row) for row in editor.filters]),
    ):
        for number, row in enumerate(rows):
            form |= {f"{word}-{number}-{name}": row[name] for name in row if name != "faults"}
    return form | changes


@pytest.fixture
def profile(world: World) -> QosProfile:
    made = create_qos_profile(
        by=SERVER, name="Voice first", space=world.acme, classes=CLASSES, filters=FILTERS
    )
    update_bond(by=SERVER, bond=world.bond, qos_profile=made)
    settle_updates()
    return made


def opened(world: World, path: str, name: str = "ana") -> Editor:
    editor = signed_in(world, name).get(path).context["editor"]
    assert isinstance(editor, Editor)
    return editor


def post(world: World, path: str, form: dict[str, str], name: str = "ana") -> Any:
    return signed_in(world, name).post(path, form)


def test_a_new_profile_begins_with_what_an_installation_has(world: World) -> None:
    editor = opened(world, "/qos/new/")

    post(world, "/qos/new/", sent(editor, name="Mine", overhead_margin="12.5"))

    made = QosProfile.objects.get(name="Mine")
    assert made.space == world.acme
    assert made.overhead_margin_permille == 125
    assert parts_of(made) == (DEFAULT_CLASSES, DEFAULT_FILTERS)


def test_every_key_of_a_filter_goes_through_the_form(world: World, profile: QosProfile) -> None:
    editor = opened(world, f"/qos/new/?from={profile.pk}")

    post(world, "/qos/new/", sent(editor, name="Copy"))

    assert parts_of(QosProfile.objects.get(name="Copy")) == (CLASSES, FILTERS)


@pytest.mark.parametrize(
    ("do", "order"),
    [
        ("up-class-1", ["Rest", "Voice"]),
        ("down-class-0", ["Rest", "Voice"]),
        ("up-class-0", ["Voice", "Rest"]),
        ("remove-class-0", ["Rest"]),
        ("add-class", ["Voice", "Rest", ""]),
        ("up-class-9", ["Voice", "Rest"]),
        ("nonsense", ["Voice", "Rest"]),
    ],
)
def test_rows_are_moved_before_anything_is_saved(
    do: str, order: list[str], world: World, profile: QosProfile
) -> None:
    path = f"/qos/{profile.pk}/classes/"

    answer = post(world, path, sent(opened(world, path), do=do, name="typed"))

    editor = answer.context["editor"]
    assert [row.name for row in editor.classes] == order
    assert editor.name == "typed"
    assert parts_of(profile) == (CLASSES, FILTERS)


def test_a_filter_goes_with_its_class_when_that_is_renamed(
    world: World, profile: QosProfile
) -> None:
    path = f"/qos/{profile.pk}/classes/"
    form = sent(opened(world, path), **{"class-0-name": "Calls"})

    assert post(world, path, form).status_code == 302

    classes, filters = parts_of(profile)
    assert classes[0].name == "Calls"
    assert filters[0].target == "Calls"
    assert ConfigUpdate.objects.filter(bond_id=world.bond.pk, status="pending").exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("class-0-bandwidth", "x", "Give a whole number."),
        ("class-0-bandwidth", "41", "The bandwidths add up to 101 %, more than 100."),
        ("class-0-bandwidth", "0", "the bandwidth is 1 to 100 %"),
        ("class-0-copies", "5", "a packet goes on 1 to 4 legs"),
        ("class-0-name", "", "This field may not be blank."),
        ("class-0-name", "rest", "Two classes are named"),
        ("default", "", "Exactly one class is the default."),
        ("filter-0-ports", "9-1", "Filter 1: give up to 32 ports"),
        ("filter-0-network", "x", "is no network"),
        ("filter-0-dscp", "64", "Filter 1: dscp is 0 to 63."),
        ("filter-0-max_packet_size", "-5", "Give a whole number."),
        ("filter-0-target", "c9", "Choose a class."),
        ("filter-1-tcp_ack", "", None),
        ("filter-0-protocol", "gre", "ports need protocol"),
        ("overhead_margin", "51", "Give 0 to 50"),
        ("name", "", "This field may not be blank."),
        ("name", "n\0", ""),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_saved(
    field: str, value: str, words: str | None, world: World, profile: QosProfile
) -> None:
    path = f"/qos/{profile.pk}/classes/"
    form = sent(opened(world, path), **{field: value, "class-1-name": form_name(field)})
    if words is None:
        form["filter-1-protocol"], words = "any", "Filter 2 has no condition."

    answer = post(world, path, form)

    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert "Nothing was saved" in answer.content.decode()
    profile.refresh_from_db()
    assert profile.name == "Voice first"
    assert parts_of(profile) == (CLASSES, FILTERS)


def form_name(field: str) -> str:
    """Another change in the same form, which must not be saved alone."""
    return "Rest" if field == "class-0-name" else "Others"


def test_a_fault_stands_beside_its_filter(world: World, profile: QosProfile) -> None:
    path = f"/qos/{profile.pk}/classes/"

    answer = post(world, path, sent(opened(world, path), **{"filter-0-ports": "9-1"}))

    first, second = answer.context["editor"].filters
    assert first.faults
    assert not second.faults


def test_a_name_that_is_taken_saves_nothing(world: World, profile: QosProfile) -> None:
    create_qos_profile(by=SERVER, name="Taken", space=world.acme, classes=CLASSES)
    path = f"/qos/{profile.pk}/classes/"

    answer = post(world, path, sent(opened(world, path), name="taken"))

    assert answer.status_code == 400
    assert answer.context["editor"].faults.keys() == {"name"}


def test_the_second_of_two_editors_sees_a_difference_first(
    world: World, profile: QosProfile
) -> None:
    path = f"/qos/{profile.pk}/classes/"
    mine, theirs = opened(world, path), opened(world, path)
    post(world, path, sent(theirs, **{"class-0-bandwidth": "30"}))

    refused = post(world, path, sent(mine, name="Mine"))

    assert refused.status_code == 412
    assert '"bandwidth": 30' in refused.content.decode().replace("&quot;", '"')
    assert parts_of(profile)[0][0].bandwidth == 30
    again = sent(mine, name="Mine", opened=refused.context["opened"])
    assert post(world, path, again).status_code == 302
    assert parts_of(profile)[0][0].bandwidth == 40


def test_who_saves_while_another_does_is_told_too(
    world: World, profile: QosProfile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/qos/{profile.pk}/classes/"
    mine, theirs = opened(world, path), opened(world, path)
    find = EditProfile.profile

    def find_and_fall_behind(page: EditProfile) -> QosProfile:
        found = find(page)
        monkeypatch.undo()
        assert post(world, path, sent(theirs, **{"class-0-bandwidth": "30"})).status_code == 302
        return found

    monkeypatch.setattr(EditProfile, "profile", find_and_fall_behind)

    assert post(world, path, sent(mine, name="Mine")).status_code == 412
    assert parts_of(profile)[0][0].bandwidth == 30


def test_a_profile_of_another_space_is_not_there(world: World, profile: QosProfile) -> None:
    gil = signed_in(world, "gil")
    path = f"/qos/{profile.pk}/classes/"

    assert gil.get(path).status_code == 404
    assert gil.post(path, sent(Editor.of(CLASSES, FILTERS, name="x"))).status_code == 404
    assert gil.get(f"/qos/new/?from={profile.pk}").status_code == 404


def test_whoever_may_not_edits_nothing(world: World, profile: QosProfile) -> None:
    world.restrict("ana", "view_qosprofile")
    ana = signed_in(world, "ana")

    assert ana.get("/qos/new/").status_code == 403
    assert ana.get(f"/qos/{profile.pk}/classes/").status_code == 403
    assert "/qos/new/" not in ana.get("/qos/").content.decode()
    assert "classes/" not in ana.get(f"/qos/{profile.pk}/").content.decode()


def test_the_lists_lead_to_the_editor(world: World, profile: QosProfile) -> None:
    ana = signed_in(world, "ana")

    assert "/qos/new/" in ana.get("/qos/").content.decode()
    page = ana.get(f"/qos/{profile.pk}/").content.decode()
    assert f"/qos/{profile.pk}/classes/" in page
    assert f"/qos/new/?from={profile.pk}" in page


def test_more_rows_than_a_profile_has_are_refused(world: World) -> None:
    many = tuple(ClassSpec(f"c{number}", 1, number == 0) for number in range(17))

    answer = post(world, "/qos/new/", sent(Editor.of(many, (), name="Many")))

    assert answer.status_code == 400
    assert "A profile has 1 to 16 classes." in answer.content.decode()
