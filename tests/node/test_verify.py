from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import Raw

from openbond.node.configs import StoredConfig
from openbond.node.verify import Refusal, Verifier
from openbond.wire.config import SCHEMA, NodeContent
from openbond.wire.states import RefusalReason
from tests.node.authority import Authority
from tests.node.samples import aggregator, bond, bonder, far_leg, static_leg

NOW = datetime.now(UTC)
WITH_LEGS = bonder(bond(legs=[static_leg()]))
EMPTY = bonder()


@dataclass
class Case:
    authority: Authority = field(default_factory=Authority)

    def verify(
        self,
        config: StoredConfig,
        newest: StoredConfig | None = None,
        now: datetime | None = NOW,
    ) -> NodeContent:
        verifier = Verifier(7, [self.authority.certificate])
        return verifier.verify(config, newest=newest, now=now)

    def reason(self, config: StoredConfig, newest: StoredConfig | None = None) -> RefusalReason:
        with pytest.raises(Refusal) as caught:
            self.verify(config, newest)
        return caught.value.reason


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_config_made_for_this_node_is_read(case: Case) -> None:
    assert case.verify(case.authority.config(WITH_LEGS)) == WITH_LEGS


def test_a_changed_content_is_corrupt(case: Case) -> None:
    config = case.authority.config(WITH_LEGS)
    content = bytes(config.envelope.content).replace(b"192.0.2.1", b"192.0.2.9")

    assert case.reason(with_envelope(config, content=Raw(content))) is RefusalReason.CORRUPT


def with_envelope(config: StoredConfig, **changes: object) -> StoredConfig:
    return msgspec.structs.replace(
        config, envelope=msgspec.structs.replace(config.envelope, **changes)
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"revision": 99}, id="revision"),
        pytest.param({"forced": True}, id="forced"),
        pytest.param({"node_id": 8}, id="node"),
        pytest.param({"signature": "AAAA"}, id="signature"),
        pytest.param({"signature": "not base64!"}, id="signature that is none"),
        pytest.param({"content": Raw(b"")}, id="nothing at all"),
    ],
)
def test_a_changed_envelope_is_corrupt(case: Case, changes: dict[str, object]) -> None:
    config = with_envelope(case.authority.config(WITH_LEGS), **changes)

    assert case.reason(config) is RefusalReason.CORRUPT


def test_a_config_of_another_authority_is_corrupt(case: Case) -> None:
    assert case.reason(Authority().config(WITH_LEGS)) is RefusalReason.CORRUPT


def test_a_node_certificate_cannot_sign_configs() -> None:
    case = Case(Authority(mark_signer=False))

    assert case.reason(case.authority.config(WITH_LEGS)) is RefusalReason.CORRUPT


def test_a_signer_that_has_expired_signs_no_more_but_its_stored_configs_boot(case: Case) -> None:
    config = case.authority.config(WITH_LEGS)
    much_later = NOW + timedelta(days=400)

    with pytest.raises(Refusal):
        case.verify(config, now=much_later)
    assert case.verify(config, now=None) == WITH_LEGS


def test_a_config_for_another_node_is_not_mine(case: Case) -> None:
    assert case.reason(case.authority.config(WITH_LEGS, node_id=8)) is RefusalReason.NOT_MINE


def test_a_config_of_a_newer_version_says_what_to_upgrade(case: Case) -> None:
    config = case.authority.config(WITH_LEGS, schema=SCHEMA + 1)

    with pytest.raises(Refusal, match="schema 2, this software knows up to 1: upgrade") as caught:
        case.verify(config)
    assert caught.value.reason is RefusalReason.SCHEMA


@pytest.mark.parametrize("revision", [1, 4])
def test_an_older_revision_is_stale(case: Case, revision: int) -> None:
    newest = case.authority.config(WITH_LEGS, revision=5)

    config = case.authority.config(WITH_LEGS, revision=revision)

    assert case.reason(config, newest) is RefusalReason.STALE


def test_the_same_revision_with_other_content_is_stale(case: Case) -> None:
    newest = case.authority.config(WITH_LEGS, revision=5)
    other = bonder(bond(legs=[static_leg(ip="192.0.2.3")]))

    assert case.reason(case.authority.config(other, revision=5), newest) is RefusalReason.STALE


def test_the_same_config_again_is_harmless(case: Case) -> None:
    newest = case.authority.config(WITH_LEGS, revision=5)

    assert case.verify(newest, newest) == WITH_LEGS


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(EMPTY, id="no bond"),
        pytest.param(bonder(bond(legs=[])), id="no legs"),
    ],
)
def test_a_bonder_that_had_legs_refuses_to_lose_them_all(case: Case, content: NodeContent) -> None:
    newest = case.authority.config(WITH_LEGS, revision=5)

    config = case.authority.config(content, revision=6)

    assert case.reason(config, newest) is RefusalReason.IMPLAUSIBLE


@pytest.mark.parametrize(
    ("content", "forced"),
    [
        pytest.param(EMPTY, True, id="forced"),
        pytest.param(bonder(decommission=True), False, id="decommissioned"),
    ],
)
def test_it_loses_them_when_the_operator_means_it(
    case: Case, content: NodeContent, forced: bool
) -> None:
    newest = case.authority.config(WITH_LEGS, revision=5)

    config = case.authority.config(content, revision=6, forced=forced)

    assert case.verify(config, newest) == content


def test_an_aggregator_may_lose_its_last_bond(case: Case) -> None:
    newest = case.authority.config(aggregator(bond(legs=[far_leg()])), revision=5)

    assert case.verify(case.authority.config(aggregator(), revision=6), newest) == aggregator()


def test_content_that_is_no_config_is_corrupt(case: Case) -> None:
    config = case.authority.config(msgspec.structs.replace(WITH_LEGS, kind="toaster"))

    assert case.reason(config) is RefusalReason.CORRUPT
