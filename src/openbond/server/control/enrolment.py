"""A machine becomes a node: it shows the node key and gets a certificate (behaviour 1.4)."""

import base64
import binascii
import hashlib
import re
from datetime import datetime, timedelta

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction

from openbond.server.fleet.models import Node, Tombstone
from openbond.server.fleet.services import request_config_update
from openbond.server.system.alerts import raise_alert
from openbond.wire.exchange import EnrolAnswer, EnrolRequest, ErrorCode

from .authority import Authority, BadCertificateRequest
from .models import EndReason, Enrolment
from .refusals import ChannelRefusal
from .revocations import RevocationList
from .rows import peers_of

# Two machines that take the node from one another within this time alternate.
ALTERNATES_WITHIN = timedelta(days=7)
MAX_TEXT = 128

log = structlog.get_logger(__name__)


@transaction.atomic
def enrol(*, key: str, request: EnrolRequest, crl: RevocationList, now: datetime) -> EnrolAnswer:
    """Make the asking machine the node with this key; a former machine is superseded.

    Raises ChannelRefusal: unknown_key, bad_request.
    """
    node = _node_with(key)
    authority = crl.authority
    certificate = _certificate(node, request, authority, now)
    fresh = _enrolment(node, certificate, request, now)
    last = Enrolment.objects.select_for_update().filter(node_id=node.pk).order_by("-id").first()
    _take_over(fresh, last, now)
    fresh.save()
    if last is None or last.ended is not None or bytes(last.tunnel_key) != fresh.tunnel_key:
        request_config_update(peers_of(node), reason=f"{node.name} enrolled")
    log.info("enrolled", node=node.pk, machine=fresh.machine_id, serial=fresh.serial)
    return EnrolAnswer(
        node_id=node.pk,
        certificate=fresh.certificate,
        ca=authority.certificate_pem,
        signer=authority.signer_pem,
        crl=crl.pem(now=now),
    )


def _node_with(key: str) -> Node:
    written = _as_shown(key)
    node = Node.objects.select_related("space").filter(key=written).first()
    if node is not None:
        return node
    digest = hashlib.sha256(written.encode()).hexdigest()
    buried = Tombstone.objects.filter(key_digest=digest).first()
    raise ChannelRefusal(
        ErrorCode.UNKNOWN_KEY,
        f"The {buried.kind} {buried.name} that had this node key was deleted."
        if buried
        else "No node has this node key. Compare it with the one shown for the bonder or "
        "aggregator.",
    )


def _as_shown(key: str) -> str:
    # Typed by people: case and dashes do not matter, nor do letters that look like digits.
    symbols = re.sub("[^0-9A-Z]", "", key.upper()).translate(str.maketrans("ILO", "110"))
    return "-".join(symbols[start : start + 4] for start in range(0, len(symbols), 4))


def _certificate(
    node: Node, request: EnrolRequest, authority: Authority, now: datetime
) -> x509.Certificate:
    try:
        tunnel_key = base64.b64decode(request.tunnel_key, validate=True)
        return authority.node_certificate(
            csr_pem=request.csr, tunnel_key=tunnel_key, node_id=node.pk, now=now
        )
    except binascii.Error:
        raise ChannelRefusal(ErrorCode.BAD_REQUEST, "tunnel_key is not base64.") from None
    except BadCertificateRequest as error:
        raise ChannelRefusal(ErrorCode.BAD_REQUEST, str(error)) from error


def _enrolment(
    node: Node, certificate: x509.Certificate, request: EnrolRequest, now: datetime
) -> Enrolment:
    return Enrolment(
        node_id=node.pk,
        serial=f"{certificate.serial_number:x}",
        public_key=_raw_key(certificate),
        tunnel_key=base64.b64decode(request.tunnel_key),
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        expires=certificate.not_valid_after_utc,
        machine_id=request.machine_id[:MAX_TEXT],
        hardware={name[:MAX_TEXT]: text[:MAX_TEXT] for name, text in request.hardware.items()},
        created=now,
    )


def _raw_key(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("node certificates are over Ed25519 keys")
    return key.public_bytes_raw()


def _take_over(fresh: Enrolment, last: Enrolment | None, now: datetime) -> None:
    """End the node's former enrolment, and carry on the numbers of a key that is known."""
    before = Enrolment.objects.filter(node_id=fresh.node_id, public_key=fresh.public_key)
    known = before.order_by("-id").first()
    if known is not None:
        # The numbers belong to the key: else an old recorded request would be good again.
        fresh.poll_number, fresh.report_number = known.poll_number, known.report_number
        fresh.reports_taken, fresh.boot_id = known.reports_taken, known.boot_id
    if last is None:
        return
    if last.ended is None:
        ended = Enrolment.objects.filter(pk=last.pk)
        ended.update(ended=now, end_reason=EndReason.SUPERSEDED)
    returns = known is not None and bytes(last.public_key) != fresh.public_key
    if known is not None and returns and now - known.created <= ALTERNATES_WITHIN:
        raise_alert(
            code="duplicate_node",
            about=f"node {fresh.node_id}",
            text=f"Two machines use the node key of node {fresh.node_id} by turns: "
            f"{last.machine_id} and {fresh.machine_id}. Only the newest is served; switch one "
            "of them off.",
            now=now,
        )
