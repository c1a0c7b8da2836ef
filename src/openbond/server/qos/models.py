"""QoS profiles, with their classes and filters in order."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from openbond.server.spaces.models import Space
from openbond.server.system.columns import Dated


class IpVersion(models.TextChoices):
    ANY = "any"
    IPV4 = "4"
    IPV6 = "6"


class Protocol(models.TextChoices):
    ANY = "any"
    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    GRE = "gre"
    ESP = "esp"
    AH = "ah"
    SCTP = "sctp"


class QosProfile(Dated):
    """Named settings that divide the bandwidth of the bonds that use it."""

    name = models.CharField(max_length=64)
    space = models.ForeignKey(Space, models.PROTECT, related_name="qos_profiles")
    overhead_margin_permille = models.IntegerField(default=50)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                F("space"), Lower("name"), name="qos_profile_name_unique_in_space"
            ),
            models.CheckConstraint(
                condition=Q(overhead_margin_permille__gte=0, overhead_margin_permille__lte=500),
                name="qos_profile_overhead_margin",
            ),
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="qos_profile_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QosClass(models.Model):
    """A queue class: its guaranteed share, its place in the order of service, and on how many legs
    each of its packets goes (behaviour 2.14).
    """

    profile = models.ForeignKey(QosProfile, models.CASCADE, related_name="classes")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)
    bandwidth = models.PositiveSmallIntegerField()
    copies = models.PositiveSmallIntegerField(default=1)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                F("profile"), Lower("name"), name="qos_class_name_unique_in_profile"
            ),
            models.UniqueConstraint(fields=["profile", "position"], name="qos_class_position"),
            models.UniqueConstraint(
                fields=["profile"], condition=Q(is_default=True), name="qos_class_one_default"
            ),
            models.CheckConstraint(
                condition=Q(bandwidth__gte=1, bandwidth__lte=100), name="qos_class_bandwidth"
            ),
            models.CheckConstraint(
                condition=Q(copies__gte=1, copies__lte=4), name="qos_class_copies"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QosFilter(models.Model):
    """Conditions and the class of the packets that meet them all; tried by position."""

    profile = models.ForeignKey(QosProfile, models.CASCADE, related_name="filters")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64, default="", blank=True)
    target = models.ForeignKey(QosClass, models.CASCADE, related_name="filters")
    ip_version = models.CharField(max_length=3, choices=IpVersion, default=IpVersion.ANY)
    protocol = models.CharField(max_length=4, choices=Protocol, default=Protocol.ANY)
    ports = models.CharField(max_length=400, default="", blank=True)
    network = models.CharField(max_length=43, null=True)  # noqa: DJ001
    dscp = models.PositiveSmallIntegerField(null=True)
    min_packet_size = models.PositiveIntegerField(null=True)
    max_packet_size = models.PositiveIntegerField(null=True)
    min_flow_size = models.BigIntegerField(null=True)
    max_flow_size = models.BigIntegerField(null=True)
    max_packet_rate = models.PositiveIntegerField(null=True)
    tcp_ack = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["profile", "position"], name="qos_filter_position"),
            models.CheckConstraint(
                condition=Q(dscp__isnull=True) | Q(dscp__lte=63), name="qos_filter_dscp"
            ),
        ]

    def __str__(self) -> str:
        return self.name or f"filter {self.position}"
