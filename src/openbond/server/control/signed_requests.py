"""Who sent a request: the Ed25519 signature of a node, and a number that only rises."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from openbond.wire.exchange import (
    HEADER_NODE,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    ErrorCode,
    signed_request,
)

from .models import EndReason, Enrolment
from .refusals import ChannelRefusal

MAX_NUMBER = 2**63 - 1
# Of machines that were replaced only the last few are told so; older ones read "bad signature".
ENROLMENTS_KNOWN = 5


class Numbered(StrEnum):
    """The exchanges that carry a number, by the column that keeps the highest one."""

    POLL = "poll_number"
    REPORT = "report_number"


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


def authenticate(request: SignedRequest, *, exchange: Numbered, now: datetime) -> Enrolment:
    """Return the enrolment whose machine signed, and take its number, once and for good.

    An older machine of the node is returned too: its `ended` tells. Raises ChannelRefusal.
    """
    enrolment = signer_of(request, now=now)
    take_number(enrolment, request.number, exchange)
    return enrolment


def signer_of(request: SignedRequest, *, now: datetime) -> Enrolment:
    """Return the enrolment whose machine signed; its number is still to be taken.

    Raises ChannelRefusal.
    """
    known = Enrolment.objects.filter(node_id=request.node_id).order_by("-id")
    enrolment = _signer(request, known[:ENROLMENTS_KNOWN])
    if enrolment.end_reason == EndReason.EXPIRED or _lapsed(enrolment, now):
        raise ChannelRefusal(
            ErrorCode.CERTIFICATE_EXPIRED,
            f"The node's certificate expired on {enrolment.expires:%Y-%m-%d}. Enrol again with "
            "the node key.",
        )
    return enrolment


def take_number(enrolment: Enrolment, number: int, exchange: Numbered) -> None:
    """Take a request's number, once and for good. Raises ChannelRefusal."""
    # One statement decides, so that of two equal requests at once one is refused.
    lower = Enrolment.objects.filter(pk=enrolment.pk, **{f"{exchange}__lt": number})
    if lower.update(**{exchange: number}):
        return
    highest = Enrolment.objects.values_list(exchange, flat=True).get(pk=enrolment.pk)
    raise ChannelRefusal(
        ErrorCode.REPLAYED_NUMBER,
        f"Request number {number} is not above {highest}, the highest seen: a recorded request, "
        "or a node that was set back.",
        number=highest,
    )


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


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name.lower(), "")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= MAX_NUMBER):
        raise ChannelRefusal(ErrorCode.BAD_REQUEST, f"The header {name} must be a number above 0.")
    return int(text)
