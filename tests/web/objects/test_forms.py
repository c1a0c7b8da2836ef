"""Forms: what is asked, what is sent, what was refused; two editors; an expired session."""

import re
from html import unescape

import pytest
from django.test import Client

from openbond.server.bonds.models import Bond, Leg
from openbond.server.bonds.services import create_bond, update_bond, update_leg
from openbond.server.spaces.models import User
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from tests.web.signed_in import signed_in
from tests.world import World

INPUT = re.compile(r"<(?:input|textarea|select)\b[^>]*>")


def hidden_in(page: str) -> dict[str, str]:
    """Return the hidden inputs of the form of a page."""
    found = {}
    for tag in INPUT.findall(page):
        if 'type="hidden"' in tag:
            name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
            assert name is not None
            found[name[1]] = unescape(value[1]) if value else ""
    found.pop("csrfmiddlewaretoken", None)
    found.pop("next", None)
    return found


def typed_in(page: str) -> dict[str, str | list[str]]:
    """Return what a browser would send of an object's form, untouched."""
    form: dict[str, str | list[str]] = dict(hidden_in(page))
    main = page.partition('<div class="objects-parts">')[2]
    for tag in re.findall(r"<input\b[^>]*>", main):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name is None or (' type="checkbox"' in tag and " checked" not in tag):
            continue
        form[name[1]] = unescape(value[1]) if value else ""
    for name, body in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', main, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        form[name] = unescape(chosen[1]) if chosen else ""
    for name, body in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', main, re.S):
        form[name] = unescape(body)
    return form


def opened(client: Client, path: str) -> dict[str, str | list[str]]:
    response = client.get(path)
    assert response.status_code == 200, response.content
    return typed_in(response.content.decode())


def edit_of(bond: Bond) -> str:
    return f"/bonds/{bond.pk}/edit/"


def test_a_bond_is_made_with_a_form(world: World) -> None:
    ana = signed_in(world, "ana")
    form = opened(ana, "/bonds/new/")

    form |= {"name": "bakery", "aggregator": f"home #{world.home.pk}", "ping_interval": "700"}
    response = ana.post("/bonds/new/", form)

    bond = Bond.objects.get(bonder__name="bakery")
    assert response["Location"] == f"/bonds/{bond.pk}/"
    assert (bond.space, bond.ping_interval, bond.compression) == (world.acme, 700, False)
    assert AuditEntry.objects.get(kind="bond", object_id=bond.pk).actor_name == "ana@example.net"


def test_a_refused_form_says_what_is_wrong_where_and_keeps_what_was_typed(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.post(
        "/bonds/new/",
        {"name": "bakery", "ping_interval": "fast", "reorder_max_hold": "5000", "note": "<b>kept",
         "secondary_aggregator": "nowhere"},
    )  # fmt: skip

    page = response.content.decode()
    assert response.status_code == 400
    assert '<a href="#field-aggregator">Aggregator</a>: This field is required.' in page
    assert '<a href="#field-ping_interval">Ping interval</a>: A valid integer is required.' in page
    assert page.count("Ensure this value is less than or equal to 1000.") == 2
    assert page.count("There is no aggregator of this name in reach.") == 2
    assert 'value="fast"' in page
    assert "&lt;b&gt;kept</textarea>" in page
    assert not Bond.objects.filter(bonder__name="bakery").exists()


def test_only_what_was_changed_is_written(world: World) -> None:
    ana = signed_in(world, "ana")
    form = opened(ana, edit_of(world.bond))

    ana.post(edit_of(world.bond), form | {"note": "at the porter's"})

    entry = AuditEntry.objects.get(kind="bond", action="update")
    assert entry.before == {"note": ""}
    assert entry.after == {"note": "at the porter's"}


def test_a_form_that_changes_nothing_writes_nothing(world: World) -> None:
    ana = signed_in(world, "ana")
    before = AuditEntry.objects.count()

    response = ana.post(edit_of(world.bond), opened(ana, edit_of(world.bond)))

    assert response.status_code == 302
    assert AuditEntry.objects.count() == before


def test_the_second_of_two_editors_sees_what_the_first_wrote_and_chooses(world: World) -> None:
    ana, bond = signed_in(world, "ana"), world.bond
    form = opened(ana, edit_of(bond))
    update_bond(by=SERVER, bond=bond, note="of the first", product="gold")

    sent = form | {"note": "of the second", "circuit_id": "C-2"}
    response = ana.post(edit_of(bond), sent)

    page = response.content.decode()
    bond.refresh_from_db()
    assert response.status_code == 412
    assert (bond.note, bond.circuit_id) == ("of the first", "")
    for text in ("When you opened it", "of the first", "of the second", "gold", "C-2"):
        assert text in page
    kept = hidden_in(page)
    undecided = ana.post(edit_of(bond), kept)
    assert undecided.status_code == 412
    assert "Choose one of the two." in undecided.content.decode()
    bond.refresh_from_db()
    assert (bond.note, bond.circuit_id) == ("of the first", "")
    assert ana.post(edit_of(bond), kept | {"_take.note": "mine"}).status_code == 302
    bond.refresh_from_db()
    assert (bond.note, bond.circuit_id, bond.product) == ("of the second", "C-2", "gold")


def test_the_second_editor_may_keep_what_the_first_wrote(world: World) -> None:
    ana, bond = signed_in(world, "ana"), world.bond
    form = opened(ana, edit_of(bond))
    update_bond(by=SERVER, bond=bond, note="of the first", compression=True)

    page = ana.post(edit_of(bond), form | {"note": "of the second"}).content.decode()
    response = ana.post(edit_of(bond), hidden_in(page) | {"_take.note": "theirs"})

    bond.refresh_from_db()
    assert response.status_code == 302
    assert (bond.note, bond.compression) == ("of the first", True)


def test_a_form_without_its_etag_overwrites_nothing(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.post(edit_of(world.bond), {"note": "x"})

    world.bond.refresh_from_db()
    assert response.status_code == 412
    assert world.bond.note == ""


def test_a_password_is_never_shown_and_stays_where_none_is_typed(world: World) -> None:
    ana = signed_in(world, "ana")
    path = f"/bonds/{world.bond.pk}/pppoe_legs/{world.pppoe_leg.pk}/"

    form = opened(ana, f"{path}edit/")
    shown = ana.get(path).content.decode() + ana.get(f"{path}edit/").content.decode()
    ana.post(f"{path}edit/", form | {"note": "line 7"})

    leg = Leg.objects.get(pk=world.pppoe_leg.pk)
    assert "secret7" not in shown
    assert (leg.password, leg.note) == ("secret7", "line 7")
    ana.post(f"{path}edit/", opened(ana, f"{path}edit/") | {"password": "new secret"})
    leg.refresh_from_db()
    assert leg.password == "new secret"
    assert (
        "new secret"
        not in ana.post(f"{path}edit/", form | {"password": "x" * 300}).content.decode()
    )


def test_a_field_that_is_fixed_is_shown_and_not_sent(world: World) -> None:
    admin = signed_in(world, "admin")
    path = f"/spaces/{world.acme.pk}/edit/"

    page = admin.get(path).content.decode()
    response = admin.post(path, typed_in(page) | {"parent": f"#{world.globex.pk}", "note": "x"})

    world.acme.refresh_from_db()
    assert 'name="parent"' not in page
    assert response.status_code == 302
    assert (world.acme.parent, world.acme.note) == (world.root, "x")


def test_parts_inside_an_object_have_fields_of_their_own(world: World) -> None:
    admin = signed_in(world, "admin")
    path = f"/spaces/{world.acme.pk}/edit/"
    form = opened(admin, path)

    wrong = admin.post(path, form | {"branding.color": "blue"})
    admin.post(path, form | {"branding.color": "#aabbcc"})

    world.acme.refresh_from_db()
    assert "Enter a color as #rrggbb." in wrong.content.decode()
    assert world.acme.branding["color"] == "#aabbcc"


def test_the_groups_of_a_user_are_boxes(world: World) -> None:
    admin, ana = signed_in(world, "admin"), world.user("ana")
    form = opened(admin, f"/users/{ana.pk}/edit/")
    chosen = [str(group.pk) for group in ana.groups.model.objects.filter(name__in=["View"])]

    admin.post(f"/users/{ana.pk}/edit/", form | {"groups": chosen})

    assert [group.name for group in User.objects.get(pk=ana.pk).groups.all()] == ["View"]


def test_the_tab_keeps_which_state_of_an_object_its_form_is_of(world: World) -> None:
    page = signed_in(world, "ana").get(edit_of(world.bond)).content.decode()

    kept = [tag for tag in INPUT.findall(page) if " data-kept " in tag]

    assert [re.search(r'name="([^"]*)"', tag)[1] for tag in kept] == ["_etag", "_opened"]  # type: ignore[index]


def test_what_the_state_of_things_forbids_is_said_at_the_top(world: World) -> None:
    ana = signed_in(world, "ana")
    form = opened(ana, edit_of(world.bond))
    Bond.objects.filter(pk=world.bond.pk).update(tuning_in_progress=True)

    response = ana.post(edit_of(world.bond), form | {"compression": "true"})

    assert response.status_code == 400
    assert "A tuning of the bond is queued or running." in response.content.decode()


def test_the_page_of_delete_says_what_goes_along_and_deletes_nothing(world: World) -> None:
    ana = signed_in(world, "ana")

    page = ana.get(f"/bonds/{world.bond.pk}/delete/").content.decode()

    assert "<li>3 legs</li>" in page
    assert "Its bonder goes, too" in page
    assert Bond.objects.filter(pk=world.bond.pk).exists()
    assert not AuditEntry.objects.filter(kind="bond", action="delete").exists()


def test_delete_deletes_what_was_looked_at(world: World) -> None:
    ana = signed_in(world, "ana")
    path = f"/bonds/{world.bond.pk}/delete/"
    looked_at = hidden_in(ana.get(path).content.decode())
    update_bond(by=SERVER, bond=world.bond, note="meanwhile")

    stale = ana.post(path, looked_at)
    fresh = ana.post(path, hidden_in(ana.get(path).content.decode()))

    assert stale.status_code == 412
    assert "It was changed since you opened this page." in stale.content.decode()
    assert fresh["Location"] == "/bonds/"
    assert not Bond.objects.filter(pk=world.bond.pk).exists()


def test_what_cannot_be_deleted_says_why_in_the_words_of_the_api(world: World) -> None:
    admin = signed_in(world, "admin")
    path = f"/aggregators/{world.home.pk}/delete/"
    told = world.client("admin").delete(f"/api/v3/aggregators/{world.home.pk}/").json()["detail"]

    page = admin.get(path).content.decode()

    assert "It cannot be deleted now." in page
    assert told in unescape(page)
    assert ">Delete</button>" not in page
    assert admin.post(path, hidden_in(page)).status_code == 400


def test_an_action_says_what_it_does_and_is_done_by_post_alone(world: World) -> None:
    ana = signed_in(world, "ana")
    path = f"/bonds/{world.bond.pk}/do/restart/"

    asked = ana.get(path).content.decode()
    assert "Traffic rests for some seconds." in unescape(asked)
    assert not AuditEntry.objects.filter(action="restart").exists()
    response = ana.post(path, follow=True)

    assert "Restart queued." in response.content.decode()
    assert AuditEntry.objects.filter(action="restart", object_id=world.bond.pk).exists()


def test_an_action_that_is_refused_says_why(world: World) -> None:
    ana = signed_in(world, "ana")
    bare = create_bond(by=SERVER, aggregator=world.home, space=world.acme)

    response = ana.post(f"/bonds/{bare.pk}/do/detect_leg_mtus/", follow=True)

    assert "The bond has no leg whose link mode is active." in response.content.decode()


@pytest.mark.parametrize("action", ["nothing", "find", "remove"])
def test_nothing_else_can_be_called_as_an_action(world: World, action: str) -> None:
    assert signed_in(world, "ana").post(f"/bonds/{world.bond.pk}/do/{action}/").status_code == 404


def test_a_leg_says_what_changed_last(world: World) -> None:
    ana = signed_in(world, "ana")
    update_leg(by=SERVER, leg=world.dhcp_leg, note="new plug")

    page = ana.get(f"/bonds/{world.bond.pk}/dhcp_legs/{world.dhcp_leg.pk}/").content.decode()

    assert "new plug" in page.partition("Last changes")[2]
