"""QoS profiles: made at installation and by the command line (api-v3 06-qos-mobile 1)."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from openbond.server.bonds.services import replace_qos_parts, update_bond, update_qos_profile
from openbond.server.errors import InUse, InvalidFields
from openbond.server.qos.models import QosClass, QosFilter, QosProfile
from openbond.server.qos.profile_files import BadProfileFile, read_profile, write_profile
from openbond.server.qos.rules import DEFAULT_CLASSES, DEFAULT_FILTERS, ClassSpec, FilterSpec
from openbond.server.qos.selectors import parts_of
from openbond.server.qos.services import create_qos_profile, delete_qos_profile
from openbond.server.system.actors import SERVER
from tests.world import World, nodes_to_update, settle_updates


def default() -> QosProfile:
    return QosProfile.objects.get(is_default=True)


def test_installation_makes_the_default_profile(world: World) -> None:
    assert parts_of(default()) == (DEFAULT_CLASSES, DEFAULT_FILTERS)
    assert default().overhead_margin_permille == 50


def test_a_new_margin_acts_on_every_bond_that_uses_the_profile(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, qos_profile=default())
    settle_updates()

    update_qos_profile(by=SERVER, profile=default(), name="Standard")
    assert nodes_to_update() == set()
    update_qos_profile(by=SERVER, profile=default(), overhead_margin_permille=125)

    assert nodes_to_update() == {"site-1", "home"}


def test_a_margin_beyond_half_is_refused(world: World) -> None:
    with pytest.raises(InvalidFields) as refusal:
        update_qos_profile(by=SERVER, profile=default(), overhead_margin_permille=501)

    assert set(refusal.value.fields) == {"overhead_margin"}


def test_a_profile_stays_usable_for_the_bonds_that_use_it(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, qos_profile=default())

    with pytest.raises(InvalidFields) as refusal:
        update_qos_profile(by=SERVER, profile=default(), space=world.globex)
    update_qos_profile(by=SERVER, profile=default(), space=world.acme)

    assert set(refusal.value.fields) == {"space"}


def test_a_profile_in_use_is_not_deleted_and_else_also_the_default(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, qos_profile=default())
    with pytest.raises(InUse):
        delete_qos_profile(by=SERVER, profile=default())

    update_bond(by=SERVER, bond=world.bond, qos_profile=None)
    delete_qos_profile(by=SERVER, profile=default())

    assert not QosClass.objects.exists()


def test_other_parts_reach_the_bonds_and_classes_keep_their_ids(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, qos_profile=default())
    settle_updates()
    ids = dict(QosClass.objects.values_list("name", "pk"))
    classes = [ClassSpec("Bulk", 10), ClassSpec("routine", 50, is_default=True)]

    replace_qos_parts(
        by=SERVER, profile=default(), classes=classes, filters=[FilterSpec("Bulk", dscp=8)]
    )

    found = dict(QosClass.objects.values_list("name", "pk"))
    assert found == {"Bulk": ids["Bulk"], "routine": ids["Routine"]}
    assert QosFilter.objects.get().target.name == "Bulk"
    assert nodes_to_update() == {"site-1", "home"}


def test_the_same_parts_again_change_nothing(world: World) -> None:
    update_bond(by=SERVER, bond=world.bond, qos_profile=default())
    settle_updates()
    before = default().modified

    replace_qos_parts(
        by=SERVER, profile=default(), classes=DEFAULT_CLASSES, filters=DEFAULT_FILTERS
    )

    assert nodes_to_update() == set()
    assert default().modified == before


def test_a_profile_written_to_a_file_is_read_back_as_it_was(world: World) -> None:
    described = read_profile(write_profile(default()))

    assert described.name == "Default"
    assert described.overhead_margin_permille == 50
    assert tuple(described.class_specs) == DEFAULT_CLASSES
    assert tuple(described.filter_specs) == DEFAULT_FILTERS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "no QoS profile"),
        (b'{"name": "x"}', "classes"),
        (b'{"name": "x", "classes": [{"name": "a"}]}', "bandwidth"),
        (b'{"name": "x", "classes": [], "speed": 5}', "speed"),
        (b'{"name": "x", "classes": [{"name": "a", "bandwidth": "much"}]}', "bandwidth"),
    ],
)
def test_a_bad_file_is_told_where_it_is_bad(text: bytes, words: str) -> None:
    with pytest.raises(BadProfileFile, match=words):
        read_profile(text)


def test_the_command_line_makes_and_changes_a_profile(world: World, tmp_path: Path) -> None:
    file = tmp_path / "voice.json"
    file.write_text(
        '{"name": "Voice", "classes": [{"name": "All", "bandwidth": 90, "default": true}]}'
    )
    call_command("qos_profile", "load", str(file), "--space", "ACME", stdout=StringIO())
    made = QosProfile.objects.get(space=world.acme)

    file.write_text(
        '{"name": "voice", "overhead_margin": 12.5,'
        ' "classes": [{"name": "All", "bandwidth": 80, "default": true}],'
        ' "filters": [{"class": "all", "protocol": "udp"}]}'
    )
    call_command("qos_profile", "load", str(file), "--space", "acme", stdout=StringIO())

    again = QosProfile.objects.get(space=world.acme)
    assert (again.pk, again.name, again.overhead_margin_permille) == (made.pk, "Voice", 125)
    assert again.classes.get().bandwidth == 80
    shown = StringIO()
    call_command("qos_profile", "show", "Voice", "--space", "acme", stdout=shown)
    assert '"overhead_margin": 12.5' in shown.getvalue()


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        ("{", [], "no QoS profile"),
        ('{"name": "x", "classes": []}', [], "1 to 16 classes"),
        (None, [], "Cannot read"),
        ("{", ["--space", "nowhere"], "no space with the key 'nowhere'"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    world: World, tmp_path: Path, content: str | None, arguments: list[str], words: str
) -> None:
    file = tmp_path / "profile.json"
    if content is not None:
        file.write_text(content)

    with pytest.raises(CommandError, match=words):
        call_command("qos_profile", "load", str(file), *arguments)


def test_profiles_of_one_name_stand_in_different_spaces_only(world: World) -> None:
    one = [ClassSpec("All", 100, is_default=True)]

    create_qos_profile(by=SERVER, name="default", space=world.acme, classes=one)
    with pytest.raises(InvalidFields) as refusal:
        create_qos_profile(by=SERVER, name="DEFAULT", space=world.root, classes=one)

    assert refusal.value.fields == {"name": ["Name must be unique."]}
