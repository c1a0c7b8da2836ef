"""The bond: several legs used as one, with its settings."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from openbond.server.fleet.models import Aggregator, Bonder
from openbond.server.qos.models import QosProfile
from openbond.server.spaces.models import Space
from openbond.server.system.columns import Dated
from openbond.server.system.secrets import Secret
from openbond.wire.states import Cipher, Distribution, Security

DISTRIBUTIONS = [(value.value, value.value) for value in Distribution]
SECURITIES = [(value.value, value.value) for value in Security]
CIPHERS = [(value.value, value.value) for value in Cipher]


def _between(field: str, low: int, high: int) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(**{f"{field}__gte": low, f"{field}__lte": high}), name=f"bond_{field}"
    )


class Bond(Dated):
    """Several legs of one bonder, used as one line to an aggregator (api-v3 02-bonds).

    `space` is always that of the bonder; the name is the bonder's. `tunnel_number` is the lower
    address of the tunnel's /31 as a number. `tuning_in_progress` is kept by the room of tuners.
    `restart_count` is the counter of an action (behaviour 1.7).
    """

    space = models.ForeignKey(Space, models.PROTECT, related_name="bonds")
    bonder = models.OneToOneField(Bonder, models.PROTECT, related_name="bond")
    note = models.CharField(max_length=4000, default="", blank=True)
    circuit_id = models.CharField(max_length=255, default="", blank=True)
    product = models.CharField(max_length=255, default="", blank=True)
    proof_of_concept = models.BooleanField(default=False)

    aggregator = models.ForeignKey(Aggregator, models.PROTECT, related_name="bonds_primary")
    secondary_aggregator = models.ForeignKey(
        Aggregator, models.PROTECT, null=True, related_name="bonds_secondary"
    )
    current_aggregator = models.ForeignKey(Aggregator, models.PROTECT, related_name="bonds_current")
    qos_profile = models.ForeignKey(QosProfile, models.PROTECT, null=True, related_name="bonds")
    tunnel_number = models.BigIntegerField(editable=False)
    sealed_secret = models.TextField(editable=False)
    compression = models.BooleanField(default=False)
    clamp_tcp = models.BooleanField(default=True)
    packet_distribution = models.CharField(
        max_length=24, choices=DISTRIBUTIONS, default=Distribution.IDMPQ.value
    )
    reorder_max_hold = models.IntegerField(default=150)
    flow_collision_detection = models.BooleanField(default=False)
    tunnel_security = models.CharField(
        max_length=12, choices=SECURITIES, default=Security.NONE.value
    )
    encryption_cipher = models.CharField(max_length=8, choices=CIPHERS, default=Cipher.AES128.value)
    encryption_handshake_interval = models.IntegerField(default=3600)
    automatic_ping_timing = models.BooleanField(default=True)
    ping_interval = models.IntegerField(default=500)
    ping_timeout = models.IntegerField(default=3000)

    tcp_proxy = models.BooleanField(default=False)
    tcp_proxy_ports = models.CharField(max_length=200, default="80,443", blank=True)
    bandwidth_adaptation = models.BooleanField(default=False)
    packet_loss_detection = models.BooleanField(default=False)
    packet_loss_threshold_permille = models.IntegerField(default=50)
    flap_detection = models.BooleanField(default=False)
    flap_threshold = models.IntegerField(default=4)
    flap_window = models.IntegerField(default=300)
    automatic_tuning = models.BooleanField(default=False)
    auto_accept = models.BooleanField(default=False)

    tuning_in_progress = models.BooleanField(default=False, editable=False)
    restart_count = models.PositiveIntegerField(default=0, editable=False)

    secret = Secret("sealed_secret")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tunnel_number"], name="bond_tunnel_number_unique"),
            models.CheckConstraint(
                condition=Q(secondary_aggregator__isnull=True)
                | ~Q(secondary_aggregator=F("aggregator")),
                name="bond_secondary_is_not_primary",
            ),
            models.CheckConstraint(
                condition=Q(current_aggregator=F("aggregator"))
                | Q(current_aggregator=F("secondary_aggregator")),
                name="bond_runs_on_primary_or_secondary",
            ),
            models.CheckConstraint(
                condition=Q(ping_timeout__gte=2 * F("ping_interval")), name="bond_ping_patience"
            ),
            models.CheckConstraint(
                condition=Q(encryption_handshake_interval=0)
                | Q(
                    encryption_handshake_interval__gte=60,
                    encryption_handshake_interval__lte=86400,
                ),
                name="bond_encryption_handshake_interval",
            ),
            _between("reorder_max_hold", 0, 1000),
            _between("ping_interval", 50, 5000),
            _between("ping_timeout", 200, 60000),
            _between("packet_loss_threshold_permille", 1, 1000),
            _between("flap_threshold", 2, 100),
            _between("flap_window", 10, 3600),
        ]

    def __str__(self) -> str:
        return self.bonder.name

    @property
    def name(self) -> str:
        return self.bonder.name

    @property
    def tunnel_subnet(self) -> str:
        return f"{IPv4Address(self.tunnel_number)}/31"

    @property
    def tunnel_bonder_ip(self) -> str:
        return str(IPv4Address(self.tunnel_number))

    @property
    def tunnel_aggregator_ip(self) -> str:
        return str(IPv4Address(self.tunnel_number + 1))


class BondReport(models.Model):
    """What the bonder last said of the bond: customer throughput in bit/s, and when.

    `alarms`: the open ones of the bond itself as JSON, see LegReport.
    """

    bond = models.OneToOneField(Bond, models.CASCADE, primary_key=True, related_name="report")
    download_rate = models.BigIntegerField(default=0)
    upload_rate = models.BigIntegerField(default=0)
    reported = models.DateTimeField(null=True)
    alarms = models.TextField(default="", blank=True)

    def __str__(self) -> str:
        return f"report of bond {self.bond_id}"
