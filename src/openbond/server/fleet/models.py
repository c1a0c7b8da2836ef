"""Nodes and what they must learn."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from openbond.server.spaces.models import Space
from openbond.server.system.columns import AddressKeyField, Dated
from openbond.server.system.secrets import Secret
from openbond.wire.states import NodeKind

NODE_KINDS = [(kind.value, kind.value) for kind in NodeKind]


class CpuGovernor(models.TextChoices):
    PERFORMANCE = "performance"
    POWERSAVE = "powersave"
    ONDEMAND = "ondemand"
    CONSERVATIVE = "conservative"
    SCHEDUTIL = "schedutil"


class TcpCongestionControl(models.TextChoices):
    CUBIC = "cubic"
    BBR = "bbr"
    RENO = "reno"


class RoutingGroup(Dated):
    """A place in the network where a public address is routable; normally one data centre."""

    name = models.CharField(max_length=64)
    space = models.ForeignKey(Space, models.PROTECT, related_name="routing_groups")
    note = models.CharField(max_length=4000, default="", blank=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                F("space"), Lower("name"), name="routing_group_name_unique_in_space"
            ),
            models.UniqueConstraint(
                fields=["is_default"],
                condition=Q(is_default=True),
                name="routing_group_one_default",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Node(Dated):
    """What an aggregator and a bonder have in common. One sequence of ids for both.

    `version`, `last_connected` and the `openvpn_*` columns are observed, not written by operators.
    """

    kind = models.CharField(max_length=10, choices=NODE_KINDS, editable=False)
    space = models.ForeignKey(Space, models.PROTECT, related_name="nodes", db_index=False)
    name = models.CharField(max_length=64)
    key = models.CharField(max_length=19, unique=True, editable=False)
    serial_number = models.CharField(max_length=255, default="", blank=True)
    asset_tag = models.CharField(max_length=255, default="", blank=True)
    sealed_username = models.TextField(default="", blank=True)
    sealed_password = models.TextField(default="", blank=True)
    debug = models.BooleanField(default=False)
    metric_collection_interval = models.IntegerField(default=10)
    metric_reporting_interval = models.IntegerField(default=60)
    cpu_governor = models.CharField(max_length=16, choices=CpuGovernor, null=True)  # noqa: DJ001
    tcp_congestion_control_algorithm = models.CharField(  # noqa: DJ001
        max_length=8, choices=TcpCongestionControl, null=True
    )
    version = models.CharField(max_length=64, default="", blank=True)
    last_connected = models.DateTimeField(null=True)
    openvpn_ip = models.CharField(max_length=15, null=True)  # noqa: DJ001
    openvpn_ipv6 = models.CharField(max_length=39, null=True)  # noqa: DJ001
    openvpn_server = models.CharField(max_length=253, null=True)  # noqa: DJ001

    username = Secret("sealed_username")
    password = Secret("sealed_password")

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["space", "kind"]),
            # For statistics, which look for those that were not heard for days.
            models.Index(fields=["kind", "last_connected"], name="node_by_contact"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                F("space"), Lower("name"), F("kind"), name="node_name_unique_in_space"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in NodeKind]), name="node_kind"
            ),
            models.CheckConstraint(
                condition=Q(metric_collection_interval__gte=1)
                & Q(metric_collection_interval__lte=3600)
                & Q(metric_reporting_interval__gte=10)
                & Q(metric_reporting_interval__lte=86400)
                & Q(metric_reporting_interval__gte=F("metric_collection_interval")),
                name="node_metric_intervals",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Aggregator(Node):
    """The far end of bonds: a node in a data centre."""

    ip = models.CharField(max_length=15)
    ip_key = AddressKeyField(source="ip")
    ipv6 = models.CharField(max_length=39, null=True)  # noqa: DJ001
    ipv6_key = AddressKeyField(source="ipv6", null=True)
    routing_group = models.ForeignKey(RoutingGroup, models.PROTECT, related_name="aggregators")
    note = models.CharField(max_length=4000, default="", blank=True)
    failover_monitoring = models.BooleanField(default=False)
    failover_interval = models.IntegerField(null=True)
    failover_receive_timeout = models.IntegerField(null=True)
    failover_retries = models.IntegerField(null=True)
    failed = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ip"], name="aggregator_ip_unique"),
            models.UniqueConstraint(fields=["ipv6"], name="aggregator_ipv6_unique"),
            models.CheckConstraint(
                condition=Q(failover_interval__isnull=True)
                | Q(failover_interval__gte=5, failover_interval__lte=3600),
                name="aggregator_failover_interval",
            ),
            models.CheckConstraint(
                condition=Q(failover_receive_timeout__isnull=True)
                | Q(failover_receive_timeout__gte=1, failover_receive_timeout__lte=60),
                name="aggregator_failover_receive_timeout",
            ),
            models.CheckConstraint(
                condition=Q(failover_retries__isnull=True)
                | Q(failover_retries__gte=1, failover_retries__lte=10),
                name="aggregator_failover_retries",
            ),
        ]


class Bonder(Node):
    """The near end of one bond: a node at the customer's site. Made and deleted with its bond."""


class Trunk(models.Model):
    """The tunnel between two aggregators that carries what private WANs of both send (§5.8).

    The second one dials, the first one listens on `port`. Made when a space needs it, and kept: its
    number is part of its addresses.
    """

    first = models.ForeignKey(Aggregator, models.CASCADE, related_name="trunks_listening")
    second = models.ForeignKey(Aggregator, models.CASCADE, related_name="trunks_dialling")
    port = models.IntegerField()
    sealed_secret = models.TextField(editable=False)

    secret = Secret("sealed_secret")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["first", "second"], name="trunk_once_a_pair"),
            models.UniqueConstraint(fields=["first", "port"], name="trunk_port_unique"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="trunk_in_order"),
        ]

    def __str__(self) -> str:
        return f"trunk of aggregators {self.first_id} and {self.second_id}"


class AggregatorCheck(models.Model):
    """What the failover checks found: counters since the monitor began (api-v3 08-system 5)."""

    aggregator = models.OneToOneField(
        Aggregator, models.CASCADE, primary_key=True, related_name="check_record"
    )
    since = models.DateTimeField()
    success = models.BigIntegerField(default=0)
    failure = models.BigIntegerField(default=0)
    last_check = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"checks of aggregator {self.aggregator_id}"


class MonitorLease(models.Model):
    """Which server process checks aggregators: one row, kept by renewing it before `until`.

    `held`: why the moves that are due are not made, in words, as it was last told to operators;
    `hosts_fault`: which known host did not answer when they were last asked. "" is none.
    """

    holder = models.CharField(max_length=64)
    until = models.DateTimeField()
    held = models.TextField(default="", blank=True)
    hosts_fault = models.TextField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(id=1), name="monitor_lease_one_row"),
        ]

    def __str__(self) -> str:
        return f"aggregators are checked by {self.holder}"


class UpdateStatus(models.TextChoices):
    """Status of a config update (behaviour 1.9). v3 shows `applied` as `completed`."""

    PENDING = "pending"
    SENT = "sent"
    APPLIED = "applied"
    FAILED = "failed"


class ConfigUpdate(models.Model):
    """A node must learn something: the outbox row, written with the change that caused it.

    `bond_id` is a number and no foreign key: bonds lie above this room, and the row outlives them.
    Only a node's report moves a row to `applied` or `failed`. Of a planned move, a row is published
    when `waits_for` is applied, or at `held_until` (behaviour 6.2).
    """

    node = models.ForeignKey(Node, models.CASCADE, related_name="config_updates")
    bond_id = models.BigIntegerField(null=True, db_index=True)
    reason = models.CharField(max_length=200)
    status = models.CharField(max_length=8, choices=UpdateStatus, default=UpdateStatus.PENDING)
    failure_count = models.PositiveIntegerField(default=0)
    last_error = models.TextField(default="", blank=True)
    revision = models.BigIntegerField(null=True)
    forced = models.BooleanField(default=False)
    created = models.DateTimeField()
    settled = models.DateTimeField(null=True)
    waits_for = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    held_until = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["node", "status"]),
            # Asked several times a second, over all nodes: what is in no revision yet.
            models.Index(
                fields=["node"],
                condition=Q(revision__isnull=True),
                name="config_update_unpublished",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(status__in=UpdateStatus.values), name="config_update_status"
            ),
        ]

    def __str__(self) -> str:
        return f"node {self.node_id}: {self.reason} ({self.status})"


class Tombstone(models.Model):
    """A node that was deleted: whoever still polls with its id is told to decommission.

    `key_digest` is the SHA-256 of the node key, so that a machine that enrols with the key of a
    deleted node can be told so. Enrolments keep plain node ids, and so outlive the node's row.
    """

    node_id = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=10, choices=NODE_KINDS)
    name = models.CharField(max_length=64)
    key_digest = models.CharField(max_length=64, unique=True)
    deleted = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} (deleted)"
