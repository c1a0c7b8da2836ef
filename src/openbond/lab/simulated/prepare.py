"""The rows of a simulated fleet, in bulk: bonds with three legs, and enrolled machines."""

import base64
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from openbond.lab.bench.server.rows_in import FIRST, Seeds
from openbond.lab.errors import LabError
from openbond.server.bonds.models import Bond
from openbond.server.control.authority import Authority
from openbond.server.control.compile import NodeRows, compile_node
from openbond.server.control.models import Enrolment, PublishedConfig
from openbond.server.control.rows import rows_of
from openbond.server.control.state_files import StateDirectory
from openbond.server.fleet.models import Aggregator, ConfigUpdate, Node, UpdateStatus
from openbond.server.fleet.services import create_aggregator
from openbond.server.spaces.models import ApiToken, Group, Space, User
from openbond.server.spaces.services import create_space, create_user
from openbond.server.spaces.services.tokens import create_token
from openbond.server.system.actors import SERVER
from openbond.wire.canonical import canonical_bytes, content_hash
from openbond.wire.config import NodeContent
from openbond.wire.states import NodeKind

from .roster import Member, Roster, identity_of, tunnel_key_of

KEY = "simulated"
ACCOUNT = "simulated-fleet@localhost.localdomain"
BONDS_EACH = 50  # on one aggregator
BATCH = 500
PUBLISHED = (
    "revision",
    "hash",
    "content",
    "published",
    "offered_from",
    "delivered_revision",
    "delivered",
    "applied_revision",
    "applied",
)


def prepare(state: Path, *, nodes: int, roster: Path) -> None:
    """Make what is missing of a fleet of so many nodes, aggregators included, and write its roster.

    All of it is in a space of its own. Raises LabError where other nodes are in service.
    """
    aggregators, bonds = shares_of(nodes)
    if Enrolment.objects.exclude(node_id__in=_nodes().values("pk")).exists():
        raise LabError(
            f"{state} serves nodes that are not simulated. Give a simulated fleet a server of its "
            "own, with --state."
        )
    seed = Roster.read(roster).seed if roster.exists() else secrets.token_hex(32)
    now = timezone.now()
    space = Space.objects.filter(key=KEY).first() or _new_space()
    _grow(space, aggregators, bonds, now)
    authority = Authority.open_or_create(StateDirectory(state).authority, now=now)
    _enrol_all(seed, authority, now)
    _publish_all(now)
    Roster(
        seed=seed,
        token=_new_token(space, now),
        bond_ids=list(Bond.objects.filter(space=space).order_by("pk").values_list("pk", flat=True)),
        members=_members(aggregators, bonds),
    ).write(roster)


def shares_of(nodes: int) -> tuple[int, int]:
    """Return how many of `nodes` are aggregators, and how many are bonders with a bond each."""
    aggregators = -(-nodes // (BONDS_EACH + 1))
    return aggregators, nodes - aggregators


def _nodes() -> QuerySet[Node]:
    return Node.objects.filter(space__key=KEY)


def _new_space() -> Space:
    root = Space.objects.get(parent__isnull=True)
    return create_space(
        by=SERVER, name="Simulated", key=KEY, parent=root, use_parent_aggregators=True
    )


def _grow(space: Space, aggregators: int, bonds: int, now: datetime) -> None:
    """Add what is missing; each aggregator carries the next so many bonds."""
    made = list(Aggregator.objects.filter(space=space).order_by("pk"))
    for number in range(len(made), aggregators):
        address = f"198.18.{number // 250}.{number % 250 + 1}"
        made.append(create_aggregator(by=SERVER, name=f"agg-{number}", ip=address, space=space))
    numbers = range(Bond.objects.filter(space=space).count(), bonds)
    for start in range(0, len(numbers), BATCH):
        seeds = Seeds()
        for number in numbers[start : start + BATCH]:
            home = made[number // BONDS_EACH]
            secret = base64.b64encode(secrets.token_bytes(32)).decode()
            seeds.add(FIRST + number, number, space.pk, home, now, secret=secret)
        with transaction.atomic():
            seeds.save()


def _enrol_all(seed: str, authority: Authority, now: datetime) -> None:
    known = set(Enrolment.objects.values_list("node_id", flat=True))
    missing = [pk for pk in _nodes().values_list("pk", flat=True) if pk not in known]
    for start in range(0, len(missing), BATCH):
        rows = [_enrolment(seed, pk, authority, now) for pk in missing[start : start + BATCH]]
        Enrolment.objects.bulk_create(rows)


def _enrolment(seed: str, node_id: int, authority: Authority, now: datetime) -> Enrolment:
    identity, tunnel_key = identity_of(seed, node_id), tunnel_key_of(seed, node_id)
    machine = f"simulated-{node_id}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, machine)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(identity, None)
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()
    certificate = authority.node_certificate(
        csr_pem=pem, tunnel_key=tunnel_key, node_id=node_id, now=now
    )
    return Enrolment(
        node_id=node_id,
        serial=f"{certificate.serial_number:x}",
        public_key=identity.public_key().public_bytes_raw(),
        tunnel_key=tunnel_key,
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
        expires=certificate.not_valid_after_utc,
        machine_id=machine,
        created=now,
    )


def _new_token(space: Space, now: datetime) -> str:
    owner = User.objects.filter(email=ACCOUNT).first() or create_user(
        by=SERVER,
        email=ACCOUNT,
        password=secrets.token_urlsafe(24),
        space=space,
        groups=[Group.objects.get(is_builtin=True)],
    )
    ApiToken.objects.filter(owner=owner).delete()
    until = now + timedelta(days=1)
    return create_token(by=SERVER, owner=owner, name="simulated fleet", expires=until).text


def _publish_all(now: datetime) -> None:
    """Publish what was never published, as if all nodes had it and acted on it."""
    # What the running server published meanwhile, nobody has: it is written over.
    taken = PublishedConfig.objects.filter(applied_revision__gt=0)
    known = set(taken.values_list("node_id", flat=True))
    for kind in NodeKind:
        nodes = _nodes().filter(kind=kind.value).select_related("space").order_by("pk")
        missing = [node for node in nodes if node.pk not in known]
        for start in range(0, len(missing), BATCH):
            rows = rows_of(missing[start : start + BATCH]).values()
            PublishedConfig.objects.bulk_create(
                (_published(one, now) for one in rows),
                update_conflicts=True,
                unique_fields=["node_id"],
                update_fields=PUBLISHED,
            )
    ConfigUpdate.objects.filter(revision__isnull=True).update(
        revision=1, status=UpdateStatus.APPLIED, settled=now
    )


def _published(rows: NodeRows, now: datetime) -> PublishedConfig:
    content = canonical_bytes(compile_node(rows))
    return PublishedConfig(
        node_id=rows.node.pk,
        revision=1,
        hash=content_hash(content),
        content=content,
        published=now,
        offered_from=now,
        delivered_revision=1,
        delivered=now,
        applied_revision=1,
        applied=now,
    )


def _members(aggregators: int, bonds: int) -> list[Member]:
    current = Enrolment.objects.filter(ended__isnull=True)
    taken = dict(current.values_list("node_id", "reports_taken"))
    chosen = [*_first(NodeKind.AGGREGATOR, aggregators), *_first(NodeKind.BONDER, bonds)]
    return [_member(pk, kind, taken[pk]) for pk, kind in chosen]


def _member(node_id: int, kind: NodeKind, taken: int) -> Member:
    config = PublishedConfig.objects.get(pk=node_id)
    content = msgspec.json.decode(bytes(config.content), type=NodeContent)
    return Member(
        node_id=node_id,
        kind=kind,
        taken=taken,
        revision=config.revision,
        hash=config.hash,
        legs=[(bond.id, leg.id) for bond in content.bonds for leg in bond.legs],
    )


def _first(kind: NodeKind, count: int) -> list[tuple[int, NodeKind]]:
    rows = _nodes().filter(kind=kind.value).order_by("pk")[:count]
    return [(pk, kind) for pk in rows.values_list("pk", flat=True)]
