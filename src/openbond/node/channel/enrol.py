"""Exchange a node key for a certificate (behaviour 1.4, step 3)."""

import hashlib
import platform
import re
import socket
import ssl
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from openbond.node import store
from openbond.node.errors import (
    NodeError,
    NodeKeyRefused,
    ServerNotTrusted,
    ServerRefused,
    ServerUnreachable,
)
from openbond.node.identity import Identity, Keys, fingerprint, keys_of, store_enrolment
from openbond.node.paths import Paths
from openbond.node.settings import ServerAddress
from openbond.wire import exchange
from openbond.wire.exchange import EnrolAnswer, EnrolRequest, ErrorCode

from . import trust
from .addresses import ServerAddresses
from .client import Transport
from .requests import Request, refusal_in
from .ways import BY_OWN_ROUTING, Way

KEY_REFUSALS = (ErrorCode.UNKNOWN_KEY, ErrorCode.SLOW_DOWN)


def software_version() -> str:
    return metadata.version("openbond")


async def enrol(
    paths: Paths,
    server: ServerAddress,
    node_key: str,
    *,
    ca_pem: str | None,
    ways: Sequence[Way] = (BY_OWN_ROUTING,),
) -> Identity:
    """Make this machine the node that `node_key` stands for, and keep its certificate.

    Twice with the same key is harmless: the newest enrolment wins. Raises NodeKeyRefused,
    ServerNotTrusted, ClockWrong, ServerUnreachable, ServerRefused, BadIdentity.
    """
    keys = keys_of(paths)
    answer = await _ask(paths, server, node_key, keys, trust.checked(ca_pem), ways)
    return store_enrolment(paths, answer, keys)


async def _ask(
    paths: Paths,
    server: ServerAddress,
    node_key: str,
    keys: Keys,
    context: ssl.SSLContext,
    ways: Sequence[Way],
) -> EnrolAnswer:
    body = msgspec.json.encode(enrol_request(keys))
    # The key travels in a header, never in a URI: URIs end up in logs.
    headers = {"Content-Type": "application/json", exchange.HEADER_NODE_KEY: node_key}
    transport = _transport(paths, server, context, ways)
    try:
        response = await transport.send(lambda: Request("POST", exchange.ENROL, body, headers))
    finally:
        await transport.close()
    refusal = refusal_in(response)
    if refusal is not None:
        raise _explained(refusal)
    try:
        return msgspec.json.decode(response.content, type=EnrolAnswer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ServerUnreachable(
            f"What answers at {server} is no openbond server ({error}): check address and port."
        ) from error


def _explained(refusal: ServerRefused) -> NodeError:
    if refusal.code in KEY_REFUSALS or refusal.status in (401, 403):
        return NodeKeyRefused(
            f"{refusal} Copy the node key again from the page of the bond or aggregator; "
            "a new key replaces the old one."
        )
    return refusal


def _transport(
    paths: Paths, server: ServerAddress, context: ssl.SSLContext, ways: Sequence[Way]
) -> Transport:
    return Transport(server, context, ways=lambda: ways, addresses=ServerAddresses(paths.addresses))


def enrol_request(keys: Keys) -> EnrolRequest:
    return EnrolRequest(
        csr=keys.certificate_request(socket.gethostname()),
        tunnel_key=keys.tunnel_public,
        machine_id=_machine_id(),
        hardware=_hardware(),
        software_version=software_version(),
    )


async def fetch_authority(
    paths: Paths, server: ServerAddress, wanted: str, *, ways: Sequence[Way] = (BY_OWN_ROUTING,)
) -> str:
    """Return the server's CA (PEM) after its SHA-256 proved to be the `wanted` one.

    Raises ServerNotTrusted when it is another, ServerUnreachable when nothing answers.
    """
    expected = re.sub(r"[^0-9a-f]", "", wanted.lower().removeprefix("sha256:"))
    if len(expected) != 64:
        raise ServerNotTrusted(
            f"{wanted!r} is no SHA-256 fingerprint: give 64 hexadecimal digits, as the server "
            "prints them when it starts."
        )
    transport = _transport(paths, server, trust.unchecked(), ways)
    try:
        response = await transport.send(lambda: Request("GET", exchange.CA))
    finally:
        await transport.close()
    return _pinned(response.content, expected, server)


def _pinned(pem: bytes, expected: str, server: ServerAddress) -> str:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ServerUnreachable(
            f"What answers at {server} is no openbond server: check address and port."
        ) from error
    for certificate in found:
        if fingerprint(certificate) == expected:
            return certificate.public_bytes(serialization.Encoding.PEM).decode()
    raise ServerNotTrusted(
        f"The CA of {server} has the fingerprint {fingerprint(found[0])}, not the one given: "
        "compare it with what the server prints when it starts; do not enrol if they differ."
    )


def _machine_id() -> str:
    found = store.read(Path("/etc/machine-id")) or b""
    if not found.strip():
        return ""
    # machine-id(5): not to be shown outside as it is.
    return hashlib.sha256(b"openbond machine\n" + found.strip()).hexdigest()[:32]


def _hardware() -> dict[str, str]:
    facts = {"machine": platform.machine(), "kernel": platform.release()}
    for name in ("sys_vendor", "product_name", "product_serial"):
        facts[name] = _firmware(name)
    return {name: value for name, value in facts.items() if value}


def _firmware(name: str) -> str:
    try:
        return Path("/sys/class/dmi/id", name).read_text(errors="replace").strip()[:100]
    except OSError:
        return ""
