"""Answers polls: the newest config, as soon as it is on offer (behaviour 1.5, 1.9)."""

import base64
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from msgspec import UNSET, Raw, UnsetType

from openbond.server.fleet.models import ConfigUpdate
from openbond.server.measurement.selectors import orders_of
from openbond.wire.config import SCHEMA, Envelope, signed_bytes
from openbond.wire.exchange import ErrorCode, PollAnswer, PollRequest, PollStatus
from openbond.wire.speed_tests import SpeedTestOrder

from .authority import Authority
from .models import EndReason, Enrolment, PublishedConfig
from .publish import NoSuchNode, move_updates, publish
from .refusals import ChannelRefusal, superseded
from .revocations import RevocationList
from .signed_requests import Numbered, SignedRequest, authenticate
from .update_states import Event

# A node that asks again without having taken what it was given has lost the answer; or it is in
# the midst of taking it, and must not be given it over and over.
GIVEN_AGAIN_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Polling:
    """A poll that may be held: who asks, and what the machine has."""

    node_id: int
    enrolment_id: int
    has: PollRequest


@dataclass(frozen=True, slots=True)
class Later:
    """Nothing to answer yet. `at`: when the answer may change without a new event."""

    at: datetime | None


def begin_poll(*, request: SignedRequest, has: PollRequest, now: datetime) -> Polling:
    """Let a machine in that asks for its config. Raises ChannelRefusal."""
    enrolment = authenticate(request, exchange=Numbered.POLL, now=now)
    return Polling(node_id=enrolment.node_id, enrolment_id=enrolment.pk, has=has)


def answer_poll(*, polling: Polling, crl: RevocationList, now: datetime) -> PollAnswer | Later:
    """Return the answer as of now. Raises ChannelRefusal when the node is gone altogether."""
    ended = Enrolment.objects.values_list("end_reason", flat=True).get(pk=polling.enrolment_id)
    if ended == EndReason.SUPERSEDED:
        return PollAnswer(status=PollStatus.SUPERSEDED, detail=str(superseded()))
    config = _config_for(polling, now)
    at = offered_at(config, polling.has)
    orders = _new_orders(polling)
    if at is not None and at <= now:
        return _deliver(config.node_id, orders, crl, now)
    if orders is UNSET:
        return Later(at)
    return PollAnswer(status=PollStatus.NOTHING, speed_tests=orders)


def _new_orders(polling: Polling) -> list[SpeedTestOrder] | UnsetType:
    """Return all speed tests of the node, where they are not those it was last told of."""
    known = polling.has.speed_tests
    if known is None:
        return UNSET
    orders = orders_of(polling.node_id)
    return UNSET if {one.test_id: one.begin for one in orders} == known else orders


def offered_at(config: PublishedConfig, has: PollRequest) -> datetime | None:
    """Return from when on the config may be given to a machine; None: it has it."""
    if has.revision == config.revision and has.hash == config.hash:
        return None
    if config.delivered is None or config.delivered_revision != config.revision or not has.wait_ms:
        return config.offered_from
    return max(config.offered_from, config.delivered + GIVEN_AGAIN_AFTER)


def _config_for(polling: Polling, now: datetime) -> PublishedConfig:
    config = PublishedConfig.objects.filter(pk=polling.node_id).first()
    if config is not None and not _is_behind(config, polling.has):
        return config
    try:
        above = polling.has.revision if config is not None or polling.has.revision else 0
        return publish(node_id=polling.node_id, now=now, above=above)
    except NoSuchNode:
        raise ChannelRefusal(
            ErrorCode.UNKNOWN_NODE,
            f"Node {polling.node_id} was deleted, longer ago than the server remembers.",
        ) from None


def _is_behind(config: PublishedConfig, has: PollRequest) -> bool:
    """Report whether the server was set back: the machine has what was never published."""
    if has.revision > config.revision:
        return True
    return has.revision == config.revision and has.hash != config.hash


@transaction.atomic
def _deliver(
    node_id: int, orders: list[SpeedTestOrder] | UnsetType, crl: RevocationList, now: datetime
) -> PollAnswer:
    config = PublishedConfig.objects.select_for_update().get(pk=node_id)
    config.delivered_revision, config.delivered = config.revision, now
    config.save(update_fields=["delivered_revision", "delivered"])
    contained = ConfigUpdate.objects.filter(node_id=node_id, revision__lte=config.revision)
    move_updates(contained, Event.DELIVERED, now=now)
    return PollAnswer(
        status=PollStatus.CONFIG,
        envelope=_envelope(config, crl.authority),
        signer=crl.authority.signer_pem,
        crl=crl.pem(now=now),
        speed_tests=orders,
    )


def _envelope(config: PublishedConfig, authority: Authority) -> Envelope:
    # Signed when it is given, not when it is published: the signer may have been renewed since.
    signed = signed_bytes(
        schema=SCHEMA,
        node_id=config.node_id,
        revision=config.revision,
        forced=config.forced,
        hash=config.hash,
    )
    return Envelope(
        schema=SCHEMA,
        node_id=config.node_id,
        revision=config.revision,
        forced=config.forced,
        hash=config.hash,
        content=Raw(bytes(config.content)),
        signature=base64.b64encode(authority.sign_config(signed)).decode(),
    )
