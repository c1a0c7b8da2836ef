"""Legs of all four types in one table, what the nodes say of them, and mobile profiles."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from openbond.server.spaces.models import Space
from openbond.server.system.columns import AddressKeyField, Dated
from openbond.server.system.secrets import Secret
from openbond.wire.states import LegType, LinkMode, MtuMethod, ShownState

from .bonds import Bond

LEG_TYPES = [(value.value, value.value) for value in LegType]
LINK_MODES = [(value.value, value.value) for value in LinkMode]
STATES = [(value.value, value.value) for value in ShownState]
MTU_METHODS = [(value.value, value.value) for value in MtuMethod]
MAX_KBPS = 100_000_000
DEFAULT_MTU_BYTES = 1500


class InterfaceMode(models.TextChoices):
    AUTO = "auto"
    HALF_10 = "10half"
    FULL_10 = "10full"
    HALF_100 = "100half"
    FULL_100 = "100full"
    FULL_1000 = "1000full"
    FULL_2500 = "2500full"
    FULL_10000 = "10000full"


class MobileProviderProfile(Dated):
    """APN and login of a mobile operator, shared by mobile broadband legs."""

    name = models.CharField(max_length=64)
    space = models.ForeignKey(Space, models.PROTECT, related_name="mobile_provider_profiles")
    apn = models.CharField(max_length=100)
    username = models.CharField(max_length=255, default="", blank=True)
    sealed_password = models.TextField(default="", blank=True)
    note = models.CharField(max_length=4000, default="", blank=True)

    password = Secret("sealed_password")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                F("space"), Lower("name"), name="mobile_profile_name_unique_in_space"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Leg(Dated):
    """One access of a bond. Columns of other types are null (api-v3 03-legs).

    `space` is always that of the bond: roll-ups count legs of half the tree without asking bonds.
    `ip`, `prefix`, `gateway` are those of static legs; other types learn theirs (LegReport).
    `renew_count` and `detect_mtu_count` are counters of actions (behaviour 1.7).
    """

    bond = models.ForeignKey(Bond, models.CASCADE, related_name="legs")
    space = models.ForeignKey(Space, models.PROTECT, related_name="legs", db_index=False)
    type = models.CharField(max_length=16, choices=LEG_TYPES, editable=False)
    link_mode = models.CharField(max_length=8, choices=LINK_MODES, default=LinkMode.ACTIVE.value)
    failover = models.BooleanField(default=False)
    interface = models.CharField(max_length=15, null=True)  # noqa: DJ001
    interface_mac = models.CharField(max_length=17, null=True)  # noqa: DJ001
    interface_mtu = models.PositiveIntegerField(null=True)
    interface_mode = models.CharField(
        max_length=12, choices=InterfaceMode, default=InterfaceMode.AUTO
    )
    down_kbps = models.PositiveIntegerField()
    up_kbps = models.PositiveIntegerField()
    tunnel_port = models.PositiveIntegerField(null=True, editable=False)
    note = models.CharField(max_length=4000, default="", blank=True)
    renew_count = models.PositiveIntegerField(default=0, editable=False)
    detect_mtu_count = models.PositiveIntegerField(default=0, editable=False)
    # static
    ip = models.CharField(max_length=15, null=True)  # noqa: DJ001
    ip_key = AddressKeyField(source="ip", null=True)
    prefix = models.PositiveSmallIntegerField(null=True)
    gateway = models.CharField(max_length=15, null=True)  # noqa: DJ001
    # pppoe
    username = models.CharField(max_length=255, null=True)  # noqa: DJ001
    sealed_password = models.TextField(default="", blank=True)
    service_name = models.CharField(max_length=255, default="", blank=True)
    # mobilebroadband
    provider_profile = models.ForeignKey(
        MobileProviderProfile, models.PROTECT, null=True, related_name="legs"
    )
    modem = models.CharField(max_length=64, default="", blank=True)

    password = Secret("sealed_password")

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["space", "type", "link_mode"])]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["bond", "interface"],
                condition=Q(interface__isnull=False),
                name="leg_interface_unique_in_bond",
            ),
            models.UniqueConstraint(
                fields=["bond", "modem"],
                condition=~Q(modem=""),
                name="leg_modem_unique_in_bond",
            ),
            models.CheckConstraint(
                condition=Q(type__in=[value.value for value in LegType]), name="leg_type"
            ),
            models.CheckConstraint(
                condition=Q(link_mode__in=[value.value for value in LinkMode]),
                name="leg_link_mode",
            ),
            models.CheckConstraint(
                condition=Q(down_kbps__lte=MAX_KBPS, up_kbps__lte=MAX_KBPS), name="leg_speeds"
            ),
            models.CheckConstraint(
                condition=Q(interface_mtu__isnull=True)
                | Q(interface_mtu__gte=576, interface_mtu__lte=9216),
                name="leg_interface_mtu",
            ),
            models.CheckConstraint(
                condition=Q(tunnel_port__isnull=True)
                | Q(tunnel_port__gte=2000, tunnel_port__lte=65535),
                name="leg_tunnel_port",
            ),
            models.CheckConstraint(
                condition=Q(
                    type=LegType.STATIC.value,
                    ip__isnull=False,
                    prefix__isnull=False,
                    gateway__isnull=False,
                )
                | ~Q(type=LegType.STATIC.value)
                & Q(ip__isnull=True, prefix__isnull=True, gateway__isnull=True),
                name="leg_static_has_address",
            ),
            models.CheckConstraint(
                condition=Q(type=LegType.PPPOE.value, username__isnull=False)
                | ~Q(type=LegType.PPPOE.value)
                & Q(username__isnull=True, sealed_password="", service_name=""),
                name="leg_pppoe_has_login",
            ),
            models.CheckConstraint(
                condition=Q(
                    type=LegType.MOBILEBROADBAND.value,
                    provider_profile__isnull=False,
                    interface__isnull=True,
                )
                | ~Q(type=LegType.MOBILEBROADBAND.value)
                & Q(provider_profile__isnull=True, modem="", interface__isnull=False),
                name="leg_mobile_has_profile",
            ),
        ]

    def __str__(self) -> str:
        return f"leg {self.pk}"


class LegReport(models.Model):
    """What the two ends last said of a leg. Made with the leg; no part of its `modified`.

    MTUs are bytes per direction, null until measured. Adapted speeds are null unless lowered.
    Spill reasons: why the leg takes only spill in that direction, "" while it is full; each end
    knows that of what it sends (behaviour 2.7).
    `alarms`: the open ones as JSON, kept by the room of measurement; empty without any.
    """

    leg = models.OneToOneField(Leg, models.CASCADE, primary_key=True, related_name="report")
    bonder_state = models.CharField(max_length=12, choices=STATES, default="unknown")
    bonder_reported = models.DateTimeField(null=True)
    aggregator_state = models.CharField(max_length=12, choices=STATES, default="unknown")
    aggregator_reported = models.DateTimeField(null=True)
    ip = models.CharField(max_length=15, null=True)  # noqa: DJ001
    ip_key = AddressKeyField(source="ip", null=True)
    prefix = models.PositiveSmallIntegerField(null=True)
    gateway = models.CharField(max_length=15, null=True)  # noqa: DJ001
    interface = models.CharField(max_length=15, null=True)  # noqa: DJ001
    dhcp_server = models.CharField(max_length=15, null=True)  # noqa: DJ001
    lease_obtained = models.DateTimeField(null=True)
    lease_expires = models.DateTimeField(null=True)
    adapted_down_kbps = models.PositiveIntegerField(null=True)
    adapted_up_kbps = models.PositiveIntegerField(null=True)
    down_mtu = models.PositiveIntegerField(null=True)
    down_mtu_method = models.CharField(max_length=8, choices=MTU_METHODS, default="assumed")
    down_mtu_measured = models.DateTimeField(null=True)
    up_mtu = models.PositiveIntegerField(null=True)
    up_mtu_method = models.CharField(max_length=8, choices=MTU_METHODS, default="assumed")
    up_mtu_measured = models.DateTimeField(null=True)
    rtt_us = models.PositiveIntegerField(null=True)
    down_loss_permille = models.PositiveIntegerField(null=True)
    up_loss_permille = models.PositiveIntegerField(null=True)
    up_spill_reason = models.CharField(max_length=64, default="", blank=True)
    down_spill_reason = models.CharField(max_length=64, default="", blank=True)
    imei = models.CharField(max_length=20, null=True)  # noqa: DJ001
    operator = models.CharField(max_length=64, null=True)  # noqa: DJ001
    access_technology = models.CharField(max_length=2, null=True)  # noqa: DJ001
    signal_quality = models.PositiveSmallIntegerField(null=True)
    alarms = models.TextField(default="", blank=True)

    def __str__(self) -> str:
        return f"report of leg {self.leg_id}"

    @property
    def mtu(self) -> int:
        """The path MTU last measured, the lower of both directions; 1500 until measured."""
        measured = [mtu for mtu in (self.down_mtu, self.up_mtu) if mtu is not None]
        return min(measured, default=DEFAULT_MTU_BYTES)
