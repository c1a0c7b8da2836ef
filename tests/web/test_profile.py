"""People: what one changes of oneself, and what an administrator gives them by the pages."""

from openbond.server.api.credentials import has_password
from openbond.server.spaces.models import Group, User
from openbond.server.system.models import AuditEntry
from tests.web.signed_in import signed_in
from tests.world import World


def test_one_changes_ones_name_and_time_zone_and_nothing_else(world: World) -> None:
    world.restrict("ana", "view_bond")
    ana = signed_in(world, "ana")
    given = {
        "first_name": "Ana <b>",
        "timezone": "Europe/Vienna",
        "email": "other@example.net",
        "role": "x",
        "groups": str(Group.objects.get(name="Administrator").pk),
    }

    response = ana.post("/account/", given)

    user = world.user("ana")
    assert response.status_code == 302
    assert (user.first_name, user.timezone) == ("Ana <b>", "Europe/Vienna")
    assert user.email != "other@example.net"
    assert not user.groups.filter(name="Administrator").exists()
    assert AuditEntry.objects.filter(kind="user", actor=user).count() == 1
    page = ana.get("/account/").content.decode()
    assert "Ana &lt;b&gt;" in page
    assert '<option value="Europe/Vienna" selected>' in page


def test_a_time_zone_that_there_is_not_is_refused_beside_its_field(world: World) -> None:
    ana = signed_in(world, "ana")

    response = ana.post("/account/", {"timezone": "Mars/Base", "first_name": "A" * 101})

    assert response.status_code == 400
    assert response.content.decode().count("invalid-feedback") == 2
    assert world.user("ana").timezone != "Mars/Base"


def test_an_account_is_made_by_a_form_with_its_password_and_groups(world: World) -> None:
    admin = signed_in(world, "admin")
    view = Group.objects.get(name="View")
    form = {
        "email": "new@example.net",
        "space": f"#{world.acme.pk}",
        "groups": [str(view.pk)],
        "password": "a long enough password",
        "active": "true",
        "timezone": "Europe/Vienna",
    }

    assert admin.post("/users/new/", form).status_code == 302

    made = User.objects.get(email="new@example.net")
    assert has_password(made, "a long enough password")
    assert list(made.groups.all()) == [view]
    page = admin.get(f"/users/{made.pk}/").content.decode()
    assert "View" in page
    assert "view_bond" in page


def test_nobody_gives_by_a_form_what_he_does_not_hold(world: World) -> None:
    world.restrict("ana", "view_user", "add_user", "view_group", "view_space")
    ana = signed_in(world, "ana")
    group = Group.objects.get(name="Administrator")
    form = {
        "email": "new@example.net",
        "space": f"#{world.acme.pk}",
        "groups": [str(group.pk)],
        "timezone": "UTC",
    }

    response = ana.post("/users/new/", form)

    assert response.status_code == 400
    assert "You cannot grant permissions that you do not hold." in response.content.decode()
    assert not User.objects.filter(email="new@example.net").exists()
