"""Rows in bulk: one bond a space by the ORM, its copies by INSERT … SELECT."""

from collections.abc import Sequence
from datetime import datetime

from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from openbond.server.bonds.models import (
    Bond,
    BondReport,
    ConnectedIP,
    CpeNatIP,
    Leg,
    LegReport,
    Route,
)
from openbond.server.control.counted import COUNTED
from openbond.server.control.installation import FirstAdministrator, install
from openbond.server.fleet.models import Aggregator, Node
from openbond.server.fleet.services import create_aggregator
from openbond.server.ipam.models import NetworkUse, UseKind
from openbond.server.spaces import counting
from openbond.server.spaces.models import Space, SpaceClosure
from openbond.server.system.actors import SERVER
from openbond.server.system.secrets import seal
from openbond.wire.states import LegType, NodeKind

LOGIN, PASSWORD = "admin@example.net", "correct horse battery staple"
# Ids of what is made here; the copies of one seed are a stride apart.
FIRST, STRIDE = 1_000_000, 100_000
FIRST_TUNNEL = 0xF0000000
TYPES = (LegType.DHCP, LegType.STATIC, LegType.PPPOE)


def fill_bonds(shape: Sequence[int], each: int) -> None:
    """Make a new installation with a subtree of each size of `shape`, `each` bonds a space."""
    aggregator = new_installation()
    make_bonds(make_spaces(shape), each, aggregator)


def new_installation() -> Aggregator:
    """Make the tables, what every installation has, and an aggregator of the root space."""
    call_command("migrate", verbosity=0, interactive=False)
    install(administrator=FirstAdministrator(email=LOGIN, password=PASSWORD))
    root = Space.objects.get(parent__isnull=True)
    return create_aggregator(by=SERVER, name="home", ip="198.51.100.10", space=root)


@transaction.atomic
def make_spaces(shape: Sequence[int]) -> list[int]:
    """Make a subtree of each size below the root, three levels deep; return the ids of all."""
    root = Space.objects.get(parent__isnull=True)
    spaces: list[Space] = []
    closure: list[SpaceClosure] = []

    def add(path: list[int]) -> list[int]:
        new = FIRST + len(spaces)
        whole = [*path, new]
        spaces.append(
            Space(pk=new, name=f"s{new}", key=f"s{new}", parent_id=path[-1], level=len(path))
        )
        closure.extend(
            SpaceClosure(ancestor_id=above, descendant_id=new, depth=len(path) - position)
            for position, above in enumerate(whole)
        )
        return whole

    for size in shape:
        top = add([root.pk])
        middle = [add(top) for _ in range(min(10, size - 1))]
        for number in range(size - 1 - len(middle)):
            add(middle[number % 10])
    Space.objects.bulk_create(spaces)
    SpaceClosure.objects.bulk_create(closure)
    return [space.pk for space in spaces]


@transaction.atomic
def make_bonds(
    space_ids: Sequence[int], each: int, aggregator: Aggregator, *, start: int = 0
) -> None:
    """Make `each` bonds in every space: up, with three legs and one of each routing object.

    `start`: so many tunnels at the beginning of the network are left to others.
    """
    now = timezone.now()
    counting.uninstall()  # counted at the end, for all at once
    seeds = Seeds()
    for number, space_id in enumerate(space_ids, start):
        seeds.add(FIRST + number, number, space_id, aggregator, now)
    seeds.save()
    with connection.cursor() as cursor:
        numbers = "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < %s) "
        cursor.execute(f"CREATE TEMP TABLE copies AS {numbers} SELECT k FROM n", [each - 1])  # noqa: S608
    if each > 1:
        _copy_all()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE copies")
        counting.install(COUNTED)
        cursor.execute("ANALYZE")


class Seeds:
    """The rows of the first bond of every space, gathered and then written kind by kind."""

    def __init__(self) -> None:
        self.rows: dict[type[Model], list[Model]] = {}

    def add(
        self,
        key: int,
        number: int,
        space_id: int,
        aggregator: Aggregator,
        now: datetime,
        *,
        secret: str = "",
    ) -> None:
        """Add a bond and its bonder with the id `key`; without `secret` it is never delivered."""
        self._keep(
            Node(
                pk=key,
                kind=NodeKind.BONDER.value,
                space_id=space_id,
                name=f"site-{number}",
                key=f"{number:019d}",
                version="1.0",
                last_connected=now,
            ),
            Bond(
                pk=key,
                space_id=space_id,
                bonder_id=key,
                aggregator=aggregator,
                current_aggregator=aggregator,
                tunnel_number=FIRST_TUNNEL + 2 * number,
                sealed_secret=seal(secret) or "none",
            ),
            BondReport(bond_id=key, download_rate=48_000_000, upload_rate=9_000_000, reported=now),
            ConnectedIP(
                pk=key, bond_id=key, interface="eth0", ip="192.168.10.1", prefix=24,
                network="192.168.10.0/24",
            ),
            CpeNatIP(pk=key, bond_id=key, ip="203.0.113.9", dest_nat_ip="192.168.10.2"),
            Route(pk=key, bond_id=key, network="192.168.20.0/24", gateway="192.168.10.3"),
        )  # fmt: skip
        for place, kind in enumerate(UseKind.values):
            self._keep(
                NetworkUse(
                    pk=3 * key + place, kind=kind, object_id=key, bond_id=key, space_id=space_id,
                    network="192.168.10.0/24", is_public=False, is_enabled=True,
                )
            )  # fmt: skip
        for place, leg_type in enumerate(TYPES):
            self._keep(*_leg(3 * key + place, key, space_id, place, leg_type, now))

    def save(self) -> None:
        for model, rows in self.rows.items():
            model._default_manager.bulk_create(rows)
            if model is Node:
                keys = [(row.pk,) for row in rows]
                with connection.cursor() as cursor:
                    cursor.executemany("INSERT INTO fleet_bonder (node_ptr_id) VALUES (%s)", keys)

    def _keep(self, *rows: Model) -> None:
        for row in rows:
            self.rows.setdefault(type(row), []).append(row)


def _leg(
    key: int, bond_id: int, space_id: int, place: int, leg_type: LegType, now: datetime
) -> tuple[Leg, LegReport]:
    leg = Leg(
        pk=key, bond_id=bond_id, space_id=space_id, type=leg_type.value, down_kbps=50_000,
        up_kbps=9_500, interface=f"eth{place + 1}", tunnel_port=2000 + place,
    )  # fmt: skip
    if leg_type is LegType.STATIC:
        leg.ip, leg.prefix, leg.gateway = "198.51.100.86", 30, "198.51.100.85"
    if leg_type is LegType.PPPOE:
        leg.username = "line7@isp.example"
    report = LegReport(
        leg_id=key, bonder_state="up", bonder_reported=now, aggregator_state="up",
        aggregator_reported=now, ip="10.1.2.3", prefix=24, gateway="10.1.2.1", down_mtu=1500,
        up_mtu=1492,
    )  # fmt: skip
    return leg, report


def _copy_all() -> None:
    shift, thrice = f"+ k * {STRIDE}", f"+ k * {3 * STRIDE}"
    text = "'-' || CAST(k AS text)"
    node = {"id": f"id {shift}", "name": f"name || {text}", "key": f"substr(key, 7) || {text}"}
    _copy("fleet_node", Node, node)
    _copy("fleet_bonder", None, {"node_ptr_id": f"node_ptr_id {shift}"})
    tunnel = f"tunnel_number + 2 * k * {STRIDE}"
    keys = {"id": f"id {shift}", "bonder_id": f"bonder_id {shift}", "tunnel_number": tunnel}
    _copy("bonds_bond", Bond, keys)
    below = {"id": f"id {shift}", "bond_id": f"bond_id {shift}"}
    _copy("bonds_bondreport", BondReport, {"bond_id": f"bond_id {shift}"})
    _copy("bonds_leg", Leg, {"id": f"id {thrice}", "bond_id": f"bond_id {shift}"})
    _copy("bonds_legreport", LegReport, {"leg_id": f"leg_id {thrice}"})
    for model in (ConnectedIP, CpeNatIP, Route):
        _copy(model._meta.db_table, model, below)
    used = {"id": f"id {thrice}", "object_id": f"object_id {shift}", "bond_id": below["bond_id"]}
    _copy("ipam_networkuse", NetworkUse, used)


def _copy(table: str, model: type[Model] | None, changed: dict[str, str]) -> None:
    """Insert the rows of a table again for each k of `copies`, some columns `changed`."""
    fields = model._meta.local_concrete_fields if model else []
    names = [field.column or "" for field in fields] or list(changed)
    key = names[0] if model is None else model._meta.pk.column
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(changed.get(name, f'"{name}"') for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, copies "  # noqa: S608
            f"WHERE {table}.{key} >= {FIRST}"
        )
