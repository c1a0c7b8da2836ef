"""Every address of the site, those of objects apart, which tests/web/objects walks.

A page that is added must be named here, with how many queries it takes: nothing is forgotten.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver

from openbond.server.control.authority import Authority
from openbond.server.control.web_tls import WebTls, web_tls, write_request
from openbond.server.fleet.models import Node
from openbond.server.spaces.models import Space, User
from openbond.server.spaces.services import update_user
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry, Settings
from openbond.server.web.objects.urls import urlpatterns as of_objects
from openbond.server.web.urls import urlpatterns
from tests.contract.wall import Wall
from tests.queries import queries_of
from tests.replay import replayed
from tests.web.objects.test_every_page import ESCAPED, EVIL, FEW, MANY, grow
from tests.web.objects.test_site_wall import walled
from tests.web.objects.walking import Address
from tests.web.signed_in import Https, signed_in
from tests.world import World

BACKUP = "backup-2026-01-01-000000.zip"
# Address → the most queries it may take, with 10 objects and with 1,000, on either database.
PINS = {
    "/": 10,
    "/dashboard/prevented/": 7,
    "/switch-space/": 6,
    "/account/": 6,
    "/account/password/": 5,
    "/account/confirm/": 11,
    "/account/tokens/": 7,
    "/account/sessions/": 6,
    "/account/two-factor/": 7,
    "/account/two-factor/webauthn/": 6,
    "/system/settings/": 6,
    "/system/backups/": 7,
    f"/system/backups/{BACKUP}/": 4,
    "/system/failover/": 9,
    "/system/tls/": 6,
    "/system/tls/request.csr": 4,
    "/system/versions/": 7,
}
# Pages that are only posted to.
POSTS = ("/theme/", "/system/backups/make/", "/account/tokens/1/revoke/", "/account/", "/sign-out/")
# Open to whoever is not signed in; allauth's inner steps, which lead on; events, a stream; and
# forms that make an object, which have tests of their own.
OTHERS = re.compile(
    r"/(static|branding|first-run|sign-in|sign-out|events|theme)/"
    r"|/account/two-factor/(authenticate|reauthenticate|totp|recovery-codes|webauthn/.+)"
    r"|/account/(reauthenticate|tokens/.+)|/system/backups/make/"
    r"|/[a-z_]+/new/"
)


@pytest.fixture
def state(settings: Any, tmp_path: Path, world: World) -> Path:
    """A state directory that has something to show on each page."""
    settings.STATE_DIR = tmp_path
    for name in ("ca", "tls", "backups"):
        (tmp_path / name).mkdir()
    (tmp_path / "backups" / BACKUP).write_bytes(b"zip")
    authority = Authority.open_or_create(tmp_path / "ca", now=world.now)
    web_tls(tmp_path / "tls", authority, names=["mgmt.example.net"], now=world.now)
    write_request(WebTls(tmp_path / "tls"), subject={"common_name": "new"}, names=["x"])
    return tmp_path


@pytest.fixture
def wall(db: None) -> Wall:
    return replayed(walled)


def patterns(found: list[Any], before: str = "/") -> Iterator[str]:
    """Yield every address below these patterns that is not walked with those of objects."""
    walked = {one.name for one in of_objects}
    for one in found:
        address = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns, address)
        elif isinstance(one, URLPattern) and one.name not in walked:
            yield address


def of_one_object(path: str) -> bool:
    return "<id:" in path


def test_every_address_of_the_site_is_walked() -> None:
    named = {re.sub(re.escape(BACKUP), "<str:name>", path) for path in PINS}
    there = {path for path in patterns(list(urlpatterns)) if not OTHERS.match(path)}

    assert {path for path in there if not of_one_object(path)} == named


def test_more_pages_of_one_object_stand_behind_the_wall_too(wall: Wall) -> None:
    gil, nobody = signed_in(wall.world, "gil"), Https()
    before = AuditEntry.objects.count()
    more = [path for path in patterns(list(urlpatterns)) if of_one_object(path)]

    # Whoever sets a password has none yet: what opens that page is its token (test_password_links).
    for path in (path for path in more if not path.startswith("/sign-in/")):
        filled = Address("more", path.lstrip("/")).filled(wall.things.ids)
        assert gil.get(filled).status_code in {404, 405}, path
        assert gil.post(filled, {}).status_code in {404, 405}, path
        assert nobody.get(filled).status_code in {302, 405}, path

    assert AuditEntry.objects.count() == before


@pytest.mark.usefixtures("state")
def test_nobody_is_sent_to_sign_in_from_everywhere(world: World) -> None:
    for path in PINS:
        response = Https().get(path)
        assert response.status_code == 302, path
        assert response["Location"].startswith("/sign-in/?next="), path
    for path in POSTS[:3]:
        assert Https().post(path).status_code == 302, path


@pytest.mark.usefixtures("state")
def test_a_forged_post_is_refused_everywhere(world: World) -> None:
    admin = signed_in(world, "admin", checks_csrf=True)
    before = AuditEntry.objects.count()

    for path in [*POSTS, *(one for one in PINS if "prevented" not in one)]:
        response = admin.post(path, {"timezone": "UTC"}, headers={"Referer": "https://testserver/"})
        assert response.status_code == 403, path
        assert "This form is no longer valid" in response.content.decode(), path

    assert AuditEntry.objects.count() == before


@pytest.mark.usefixtures("state")
def test_every_page_asks_no_more_for_a_thousand_objects_than_is_pinned(world: World) -> None:
    admin = signed_in(world, "admin")
    for number in (FEW, MANY):
        grow(world, number)
        found = {path: asked(admin, path) for path in PINS}
        above = {path: count for path, count in found.items() if count > PINS[path]}
        assert above == {}, number


def asked(client: Client, path: str) -> int:
    def read() -> None:
        response = client.get(path, follow=False)
        assert response.status_code in {200, 302}, path
        b"".join(response)

    return len(queries_of(read))


@pytest.mark.usefixtures("state")
def test_what_people_write_is_text_on_these_pages_too(world: World) -> None:
    Node.objects.update(version=EVIL)
    Node.objects.filter(pk=world.home.pk).update(name=EVIL)
    Space.objects.filter(pk=world.root.pk).update(name=EVIL)
    update_user(by=SERVER, user=world.user("admin"), first_name=EVIL, last_name=EVIL)
    Settings.objects.update_or_create(
        pk=1, defaults={"email_username": EVIL, "server_hostname": EVIL}
    )
    entries: list[tuple[str, str, dict[str, object]]] = [
        ("aggregator", "failed", {}),
        ("bond", "move", {"current_aggregator": 1}),
    ]
    for kind, action, change in entries:
        AuditEntry.objects.create(
            at=world.now, actor_name=EVIL, action=action, kind=kind, object_id=1,
            object_name=EVIL, space=world.root, before=change, after={**change, "reason": EVIL},
        )  # fmt: skip
    User.objects.filter(username="admin").update(role=EVIL[:8])
    admin = signed_in(world, "admin")

    shown = {path: b"".join(admin.get(path)).decode() for path in PINS}

    assert not [path for path, page in shown.items() if "<script>alert" in page]
    for path in ("/", "/account/", "/switch-space/"):
        assert ESCAPED in shown[path], path
    for path in ("settings", "failover", "tls", "versions", "backups"):
        assert ESCAPED in shown[f"/system/{path}/"].partition("<main")[2], path


@pytest.mark.usefixtures("state")
def test_no_script_holds_up_a_page_and_none_stands_in_it(world: World) -> None:
    admin = signed_in(world, "admin")

    for path in (*PINS, "/bonds/", f"/bonds/{world.bond.pk}/", "/bonds/new/"):
        page = b"".join(admin.get(path)).decode(errors="replace")
        for script in re.findall(r"<script[^>]*>", page):
            assert "src=" in script or 'type="application/json"' in script, path
            assert " defer" in script or "json" in script or 'type="module"' in script, path
        assert "<style" not in page, path
        assert not re.search(r"<[^>]*\s(style|on[a-z]+)=", page), path
