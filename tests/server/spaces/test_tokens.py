from datetime import timedelta

import pytest

from openbond.server.errors import InvalidFields
from openbond.server.spaces.models import ApiToken
from openbond.server.spaces.selectors import token_shown_as
from openbond.server.spaces.services import create_token, delete_token, delete_user
from openbond.server.system.actors import SERVER
from openbond.server.system.models import AuditEntry
from openbond.server.system.services import update_settings
from tests.world import World


def test_a_token_is_shown_once_and_stored_as_a_hash(world: World) -> None:
    issued = create_token(
        by=SERVER, owner=world.user("ana"), name="ci", expires=world.now + timedelta(days=30)
    )

    assert token_shown_as(issued.text, now=world.now) == issued.token
    assert issued.text not in str(ApiToken.objects.values().get())
    assert issued.text not in str(AuditEntry.objects.latest("id").after)


def test_an_expired_or_revoked_token_opens_nothing(world: World) -> None:
    month = timedelta(days=30)
    issued = create_token(by=SERVER, owner=world.user("ana"), name="ci", expires=world.now + month)

    assert token_shown_as(issued.text, now=world.now + month) is None
    delete_token(by=SERVER, token=issued.token)
    assert token_shown_as(issued.text, now=world.now) is None


def test_a_token_lives_no_longer_than_the_setting(world: World) -> None:
    update_settings(by=SERVER, token_max_lifetime=10)

    with pytest.raises(InvalidFields) as refusal:
        create_token(
            by=SERVER, owner=world.user("ana"), name="ci", expires=world.now + timedelta(days=11)
        )

    assert set(refusal.value.fields) == {"expires"}


def test_the_tokens_of_a_user_go_with_him(world: World) -> None:
    create_token(
        by=SERVER, owner=world.user("ana"), name="ci", expires=world.now + timedelta(days=1)
    )

    delete_user(by=SERVER, user=world.user("ana"))

    assert not ApiToken.objects.exists()
