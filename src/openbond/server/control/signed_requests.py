"""Who sent a request: the Ed25519 signature of a node, and a number that only rises."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import DEFAULT_DB_ALIAS

from openbond.server.system.prepared import Among, ManyWrites, Prepared, ids_of, stored_time
from openbond.wire.exchange import (
    HEADER_NODE,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    ErrorCode,
    signed_request,
)

from .models import EndReason, Enrolment
from .refusals import ChannelRefusal

# Who signed a request, or why it is refused.
Signer: TypeAlias = Enrolment | ChannelRefusal

MAX_NUMBER = 2**63 - 1
# Of machines that were replaced only the last few are told so; older ones read "bad signature".
ENROLMENTS_KNOWN = 5


class Numbered(StrEnum):
    """The exchanges that carry a number, by the column that keeps the highest one."""

    POLL = "poll_number"
    REPORT = "report_number"


_WRITE_NUMBERS = {exchange: ManyWrites(Enrolment, exchange.value) for exchange in Numbered}


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """One request as it came, its signature not yet checked."""

    node_id: int
    number: int
    signature: bytes
    signed: bytes


def read_signed_request(
    *, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> SignedRequest:
    """Read the headers of a signed request; names in lower case. Raises ChannelRefusal."""
    number = _number(headers, HEADER_NUMBER)
    try:
        signature = base64.b64decode(headers.get(HEADER_SIGNATURE.lower(), ""), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    return SignedRequest(
        node_id=_number(headers, HEADER_NODE),
        number=number,
        signature=signature,
        signed=signed_request(method=method, target=target, number=number, body=body),
    )


def signers_of(requests: Sequence[SignedRequest], *, now: datetime) -> list[Signer]:
    """Return for each request the enrolment whose machine signed it, or why it is refused.

    An older machine of a node is returned too: its `ended` tells. Numbers are still to be taken.
    """
    return [_verified(request, found, now) for request, found in _with_current(requests)]


def take_numbers(
    requests: Sequence[SignedRequest], signers: Sequence[Signer], *, exchange: Numbered
) -> list[Signer]:
    """Take the number of each request that has a signer, once and for good, or refuse it.

    The enrolments that are returned are locked until the transaction ends; requests of one
    machine share theirs.
    """
    keys = {signer.pk for signer in signers if isinstance(signer, Enrolment)}
    locked = {row.pk: row for row in _rows(_LOCKED, keys)}
    outcomes = [
        _numbered(locked[signer.pk], request.number, exchange)
        if isinstance(signer, Enrolment) and signer.pk in locked  # else it was just deleted
        else signer
        for signer, request in zip(signers, requests, strict=True)
    ]
    _WRITE_NUMBERS[exchange].run((row.pk, getattr(row, exchange)) for row in locked.values())
    return outcomes


# All that the channel asks of an enrolment, without its certificate.
_COLUMNS = (
    "id",
    "node_id",
    "public_key",
    "expires",
    "ended",
    "end_reason",
    "poll_number",
    "report_number",
    "reports_taken",
    "boot_id",
)
_CURRENT = Prepared(
    lambda: Enrolment.objects.filter(Among("node_id", "ids"), ended__isnull=True).order_by(),
    *_COLUMNS,
)
# In the order of their keys: two batches that lock the same rows must not wait for one another.
_LOCKED = Prepared(
    lambda: Enrolment.objects.select_for_update().filter(Among("id", "ids")).order_by("id"),
    *_COLUMNS,
)


def _rows(statement: Prepared, ids: Iterable[int]) -> Iterator[Enrolment]:
    for row in statement.run(ids=ids_of(list(ids))):
        for name in ("expires", "ended"):
            row[name] = row[name] and stored_time(row[name])
        yield Enrolment.from_db(DEFAULT_DB_ALIAS, row.keys(), row.values())


def _with_current(
    requests: Sequence[SignedRequest],
) -> Iterator[tuple[SignedRequest, Enrolment | None]]:
    ids = {request.node_id for request in requests}
    current = {row.node_id: row for row in _rows(_CURRENT, ids)}
    for request in requests:
        yield request, current.get(request.node_id)


def _verified(request: SignedRequest, current: Enrolment | None, now: datetime) -> Signer:
    """Return who signed: nearly always the machine that is the node now."""
    if current is None or not _has_signed(current, request):
        known = Enrolment.objects.filter(node_id=request.node_id).order_by("-id")
        try:
            current = _signer(request, known[:ENROLMENTS_KNOWN])
        except ChannelRefusal as refusal:
            return refusal
    if current.end_reason == EndReason.EXPIRED or _lapsed(current, now):
        return ChannelRefusal(
            ErrorCode.CERTIFICATE_EXPIRED,
            f"The node's certificate expired on {current.expires:%Y-%m-%d}. Enrol again with "
            "the node key.",
        )
    return current


def _lapsed(enrolment: Enrolment, now: datetime) -> bool:
    return enrolment.ended is None and enrolment.expires <= now


def _signer(request: SignedRequest, known: Iterable[Enrolment]) -> Enrolment:
    enrolments = list(known)
    if not enrolments:
        raise ChannelRefusal(
            ErrorCode.NOT_ENROLLED,
            f"No machine has enrolled as node {request.node_id} on this server. Enrol with the "
            "node key.",
        )
    for enrolment in enrolments:
        if _has_signed(enrolment, request):
            return enrolment
    raise ChannelRefusal(
        ErrorCode.BAD_SIGNATURE,
        f"The request is not signed with the key of node {request.node_id}. Enrol again with "
        "the node key.",
    )


def _has_signed(enrolment: Enrolment, request: SignedRequest) -> bool:
    key = Ed25519PublicKey.from_public_bytes(bytes(enrolment.public_key))
    try:
        key.verify(request.signature, request.signed)
    except InvalidSignature:
        return False
    return True


def _numbered(enrolment: Enrolment, number: int, exchange: Numbered) -> Enrolment | ChannelRefusal:
    highest: int = getattr(enrolment, exchange)
    if number > highest:
        setattr(enrolment, exchange, number)
        return enrolment
    return ChannelRefusal(
        ErrorCode.REPLAYED_NUMBER,
        f"Request number {number} is not above {highest}, the highest seen: a recorded request, "
        "or a node that was set back.",
        number=highest,
    )


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name.lower(), "")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= MAX_NUMBER):
        raise ChannelRefusal(ErrorCode.BAD_REQUEST, f"The header {name} must be a number above 0.")
    return int(text)
