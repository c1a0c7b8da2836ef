"""Answers polls: the newest config, as soon as it is on offer (behaviour 1.5, 1.9)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import Q
from msgspec import UNSET, Raw, UnsetType

from openbond.server.fleet.models import ConfigUpdate
from openbond.server.measurement.selectors import orders_of
from openbond.server.system.prepared import Among, Prepared, ids_of
from openbond.wire.config import SCHEMA, Envelope, signed_bytes
from openbond.wire.exchange import ErrorCode, PollAnswer, PollRequest, PollStatus
from openbond.wire.speed_tests import SpeedTestOrder

from .authority import Authority
from .models import EndReason, Enrolment, PublishedConfig
from .publish import NoSuchNode, move_updates, publish
from .refusals import ChannelRefusal, superseded
from .revocations import RevocationList
from .signed_requests import Numbered, SignedRequest, signers_of, take_numbers
from .update_states import Event

# A node that asks again without having taken what it was given has lost the answer; or it is in
# the midst of taking it, and must not be given it over and over.
GIVEN_AGAIN_AFTER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """A poll as it came, not yet let in."""

    request: SignedRequest
    has: PollRequest


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


@dataclass(frozen=True, slots=True)
class _Due:
    """A node that is to be given its config now, and the new orders of speed tests with it."""

    node_id: int
    news: list[SpeedTestOrder] | UnsetType


def begin_polls(asked: Sequence[Asked], *, now: datetime) -> list[Polling | ChannelRefusal]:
    """Let machines in that ask for their config, or say why not."""
    requests = [one.request for one in asked]
    signers = signers_of(requests, now=now)
    with transaction.atomic():
        enrolments = take_numbers(requests, signers, exchange=Numbered.POLL)
    return [
        found
        if isinstance(found, ChannelRefusal)
        else Polling(node_id=found.node_id, enrolment_id=found.pk, has=one.has)
        for found, one in zip(enrolments, asked, strict=True)
    ]


def answer_polls(
    pollings: Sequence[Polling], *, crl: RevocationList, now: datetime
) -> list[PollAnswer | Later | Exception]:
    """Return for each poll the answer as of now, or why there is none: a node that is gone
    altogether, or whose config cannot be compiled."""
    replaced = _REPLACED.run(ids=ids_of([one.enrolment_id for one in pollings]))
    former = {row["id"] for row in replaced}
    newest = _newest(pollings)
    behind = [one.node_id for one in pollings if newest.get(one.node_id) != _has(one)]
    configs = PublishedConfig.objects.defer("content").in_bulk(behind) if behind else {}
    tested = {one.node_id for one in pollings if one.has.speed_tests is not None}
    orders = orders_of(tested)

    def found_for(polling: Polling) -> PollAnswer | Later | _Due | Exception:
        if polling.enrolment_id in former:
            return PollAnswer(status=PollStatus.SUPERSEDED, detail=str(superseded()))
        news = _new_orders(polling, orders.get(polling.node_id, []))
        if newest.get(polling.node_id) == _has(polling):
            return _nothing(news, None)
        return _found(polling, configs.get(polling.node_id), news, now)

    found = [found_for(polling) for polling in pollings]
    given = _deliver([one for one in found if isinstance(one, _Due)], crl, now)
    return [given[one.node_id] if isinstance(one, _Due) else one for one in found]


def _newest(pollings: Sequence[Polling]) -> dict[int, tuple[int, str]]:
    """Return revision and hash of each node's newest config."""
    rows = _NEWEST.run(ids=ids_of([one.node_id for one in pollings]))
    return {row["node_id"]: (row["revision"], row["hash"]) for row in rows}


def _has(polling: Polling) -> tuple[int, str]:
    return polling.has.revision, polling.has.hash


# Most polls come from machines that have the newest config: of these no more is read.
_NEWEST = Prepared(
    lambda: PublishedConfig.objects.filter(Among("node_id", "ids")).order_by(),
    "node_id",
    "revision",
    "hash",
)
_REPLACED = Prepared(
    lambda: Enrolment.objects.filter(
        Among("id", "ids"), end_reason=EndReason.SUPERSEDED
    ).order_by(),
    "id",
)


def _found(
    polling: Polling,
    config: PublishedConfig | None,
    news: list[SpeedTestOrder] | UnsetType,
    now: datetime,
) -> PollAnswer | Later | _Due | Exception:
    try:
        config = _config_for(polling, config, now)
        at = offered_at(config, polling.has)
        if at is not None and at <= now:
            return _Due(config.node_id, news)
        return _nothing(news, at)
    except DatabaseError:
        raise
    except Exception as failure:
        return failure  # a node whose config cannot be compiled holds up no other


def _nothing(news: list[SpeedTestOrder] | UnsetType, at: datetime | None) -> PollAnswer | Later:
    """Return what there is without a config: new orders, or to look again."""
    if news is UNSET:
        return Later(at)
    return PollAnswer(status=PollStatus.NOTHING, speed_tests=news)


def _new_orders(polling: Polling, orders: list[SpeedTestOrder]) -> list[SpeedTestOrder] | UnsetType:
    """Return all speed tests of the node, where they are not those it was last told of."""
    known = polling.has.speed_tests
    if known is None:
        return UNSET
    return UNSET if {one.test_id: one.begin for one in orders} == known else orders


def offered_at(config: PublishedConfig, has: PollRequest) -> datetime | None:
    """Return from when on the config may be given to a machine; None: it has it."""
    if has.revision == config.revision and has.hash == config.hash:
        return None
    if config.delivered is None or config.delivered_revision != config.revision or not has.wait_ms:
        return config.offered_from
    return max(config.offered_from, config.delivered + GIVEN_AGAIN_AFTER)


def _config_for(polling: Polling, config: PublishedConfig | None, now: datetime) -> PublishedConfig:
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


def _deliver(due: Sequence[_Due], crl: RevocationList, now: datetime) -> dict[int, PollAnswer]:
    """Give each node its config, by id, and note that it was given: all in one transaction.

    A change reaches two nodes at least, and each transaction waits for its turn.
    """
    if not due:
        return {}
    news = {one.node_id: one.news for one in due}
    with transaction.atomic():
        rows = PublishedConfig.objects.select_for_update().filter(pk__in=news).order_by("pk")
        configs = list(rows)
        for config in configs:
            config.delivered_revision, config.delivered = config.revision, now
        PublishedConfig.objects.bulk_update(configs, ["delivered_revision", "delivered"])
        contained = Q(pk__in=())
        for config in configs:
            contained |= Q(node_id=config.node_id, revision__lte=config.revision)
        move_updates(ConfigUpdate.objects.filter(contained), Event.DELIVERED, now=now)
    revoked = crl.pem(now=now)
    return {
        config.node_id: PollAnswer(
            status=PollStatus.CONFIG,
            envelope=_envelope(config, crl.authority),
            signer=crl.authority.signer_pem,
            crl=revoked,
            speed_tests=news[config.node_id],
        )
        for config in configs
    }


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
