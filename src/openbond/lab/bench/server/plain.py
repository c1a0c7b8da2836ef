"""The page of bonds through ordinary serializers of REST framework: what ours is compared with.

Related rows are fetched at once, as whoever knows Django does; the fields are the contract's.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_network
from typing import Any

from django.db.models import Model, QuerySet
from django.utils import timezone
from rest_framework import generics, pagination, serializers
from rest_framework.fields import Field
from rest_framework.renderers import JSONRenderer

from openbond.server.api.authentication import Credentials
from openbond.server.api.links import LEG_PATHS
from openbond.server.api.values import stored
from openbond.server.bonds.models import Bond, ConnectedIP, CpeNatIP, Leg, Route
from openbond.server.bonds.rules.legs import CARRYING, shown_states
from openbond.server.bonds.rules.routing import connected, serving_network
from openbond.server.fleet.models import Bonder
from openbond.server.fleet.rules import hostname, node_status
from openbond.server.system.selectors import current_settings

TIME = "%Y-%m-%dT%H:%M:%SZ"
BELOW = ("legs__report", "connected_ips", "cpe_nat_ips", "routes")
RELATED = ("bonder", "space", "report")
Row = Any  # a row of any model: serializers take what they are given


class Shown(serializers.ModelSerializer[Model]):
    """What all of them share: an address, and two times."""

    url = serializers.SerializerMethodField()
    created = serializers.DateTimeField(format=TIME, default_timezone=UTC)
    modified = serializers.DateTimeField(format=TIME, default_timezone=UTC)
    path = ""

    def to(self, path: str, key: int | None) -> str | None:
        if key is None:
            return None
        address: str = self.context["request"].build_absolute_uri(f"/api/v3/{path}/{key}/")
        return address

    def get_url(self, row: Row) -> str | None:
        return self.to(self.path, row.pk)

    def get_bond(self, row: Row) -> str | None:
        return self.to("bonds", row.bond_id)


class BelowBond(Shown):
    bond = serializers.SerializerMethodField()

    def get_url(self, row: Row) -> str | None:
        return self.to(f"bonds/{row.bond_id}/{self.path}", row.pk)


class PlainLeg(BelowBond):
    state = serializers.SerializerMethodField()
    aggregator_state = serializers.SerializerMethodField()
    bonder_state = serializers.SerializerMethodField()
    ip = serializers.SerializerMethodField()
    netmask = serializers.SerializerMethodField()
    gateway = serializers.SerializerMethodField()
    down_speed = serializers.SerializerMethodField()
    up_speed = serializers.SerializerMethodField()
    adapted_down_speed = serializers.SerializerMethodField()
    adapted_up_speed = serializers.SerializerMethodField()
    mtu = serializers.IntegerField(source="report.mtu")
    alarms = serializers.SerializerMethodField()

    class Meta:
        model = Leg
        fields = (
            "id", "url", "type", "bond", "link_mode", "failover", "state", "aggregator_state",
            "bonder_state", "interface", "interface_mac", "interface_mtu", "interface_mode", "ip",
            "netmask", "gateway", "down_speed", "up_speed", "adapted_down_speed",
            "adapted_up_speed", "mtu", "tunnel_port", "alarms", "note", "created", "modified",
        )  # fmt: skip

    def get_url(self, row: Leg) -> str | None:
        return self.to(f"bonds/{row.bond_id}/{LEG_PATHS[row.type]}", row.pk)

    def get_state(self, row: Leg) -> str:
        return self._states(row)[0]

    def get_bonder_state(self, row: Leg) -> str:
        return self._states(row)[1]

    def get_aggregator_state(self, row: Leg) -> str:
        return self._states(row)[2]

    def get_ip(self, row: Leg) -> str | None:
        ip: str | None = self._addressed(row).ip
        return ip

    def get_gateway(self, row: Leg) -> str | None:
        gateway: str | None = self._addressed(row).gateway
        return gateway

    def get_netmask(self, row: Leg) -> str | None:
        return _netmask(self._addressed(row).prefix)

    def get_down_speed(self, row: Leg) -> float:
        return _mbit(row.down_kbps)

    def get_up_speed(self, row: Leg) -> float:
        return _mbit(row.up_kbps)

    def get_adapted_down_speed(self, row: Leg) -> float | None:
        return row.report.adapted_down_kbps and _mbit(row.report.adapted_down_kbps)

    def get_adapted_up_speed(self, row: Leg) -> float | None:
        return row.report.adapted_up_kbps and _mbit(row.report.adapted_up_kbps)

    def get_alarms(self, row: Leg) -> list[dict[str, Any]]:
        return stored(row.report.alarms)

    def _addressed(self, row: Leg) -> Any:
        return row if row.type == "static" else row.report

    def _states(self, row: Leg) -> tuple[str, str, str]:
        report, since = row.report, self.context["since"]
        heard, told = report.bonder_reported, report.aggregator_reported
        return shown_states(
            is_offline=row.link_mode == "offline",
            bonder=report.bonder_state if heard and heard >= since else None,
            aggregator=report.aggregator_state if told and told >= since else None,
        )


class PlainConnectedIP(BelowBond):
    path = "connected_ips"
    netmask = serializers.SerializerMethodField()

    class Meta:
        model = ConnectedIP
        fields = (
            "id", "url", "bond", "interface", "ip", "netmask", "network", "enabled",
            "include_private_wan", "agg_routing", "note", "created", "modified",
        )  # fmt: skip

    def get_netmask(self, row: ConnectedIP) -> str | None:
        return _netmask(row.prefix)


class PlainCpeNatIP(BelowBond):
    path = "cpe_nat_ips"
    dest_nat_netmask = serializers.SerializerMethodField()

    class Meta:
        model = CpeNatIP
        fields = (
            "id", "url", "bond", "ip", "dest_nat_ip", "dest_nat_netmask", "enabled", "note",
            "created", "modified",
        )  # fmt: skip

    def get_dest_nat_netmask(self, row: CpeNatIP) -> str | None:
        networks = [
            connected(interface=one.interface, ip=one.ip, prefix=one.prefix)
            for one in row.bond.connected_ips.all()
        ]
        network = serving_network(row.dest_nat_ip, networks)
        return _netmask(network.prefixlen if network else 32)


class PlainRoute(BelowBond):
    path = "routes"
    netmask = serializers.SerializerMethodField()

    class Meta:
        model = Route
        fields = (
            "id", "url", "bond", "network", "netmask", "gateway", "interface", "enabled",
            "include_private_wan", "agg_routing", "note", "created", "modified",
        )  # fmt: skip

    def get_netmask(self, row: Route) -> str:
        return str(ip_network(row.network).netmask)


class PlainBonder(Shown):
    path = "bonders"
    status = serializers.SerializerMethodField()
    last_connected = serializers.DateTimeField(format=TIME, default_timezone=UTC)

    class Meta:
        model = Bonder
        fields = (
            "id", "url", "name", "key", "serial_number", "asset_tag", "version", "status",
            "last_connected",
        )  # fmt: skip

    def get_fields(self) -> dict[str, Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        return {name: fields[name] for name in self.Meta.fields}

    def get_status(self, row: Bonder) -> str:
        return _status(row, self.context)


class PlainBond(Shown):
    path = "bonds"
    name = serializers.CharField(source="bonder.name")
    bonder = PlainBonder()
    space = serializers.SerializerMethodField()
    hostname = serializers.SerializerMethodField()
    aggregator = serializers.SerializerMethodField()
    secondary_aggregator = serializers.SerializerMethodField()
    current_aggregator = serializers.SerializerMethodField()
    qos_profile = serializers.SerializerMethodField()
    tunnel_aggregator_ip = serializers.CharField()
    packet_loss_threshold = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    download_rate = serializers.SerializerMethodField()
    upload_rate = serializers.SerializerMethodField()
    alarms = serializers.SerializerMethodField()
    leg_list = PlainLeg(many=True, source="legs")
    connectedips = PlainConnectedIP(many=True, source="connected_ips")
    cpenatips = PlainCpeNatIP(many=True, source="cpe_nat_ips")
    routes = PlainRoute(many=True)

    class Meta:
        model = Bond
        fields = (
            "id", "url", "name", "bonder", "space", "note", "circuit_id", "product",
            "proof_of_concept", "hostname", "aggregator", "secondary_aggregator",
            "current_aggregator", "qos_profile", "tunnel_subnet", "tunnel_bonder_ip",
            "tunnel_aggregator_ip", "compression", "clamp_tcp", "packet_distribution",
            "reorder_max_hold", "flow_collision_detection", "tunnel_security",
            "encryption_cipher", "encryption_handshake_interval", "automatic_ping_timing",
            "ping_interval", "ping_timeout", "tcp_proxy", "tcp_proxy_ports",
            "bandwidth_adaptation", "packet_loss_detection", "packet_loss_threshold",
            "flap_detection", "flap_threshold", "flap_window", "automatic_tuning", "auto_accept",
            "status", "download_rate", "upload_rate", "tuning_in_progress", "alarms", "leg_list",
            "connectedips", "cpenatips", "routes", "created", "modified",
        )  # fmt: skip

    def get_space(self, row: Bond) -> str | None:
        return self.to("spaces", row.space_id)

    def get_hostname(self, row: Bond) -> str:
        return hostname(space_name=row.space.name, node_name=row.bonder.name)

    def get_aggregator(self, row: Bond) -> str | None:
        return self.to("aggregators", row.aggregator_id)

    def get_secondary_aggregator(self, row: Bond) -> str | None:
        return self.to("aggregators", row.secondary_aggregator_id)

    def get_current_aggregator(self, row: Bond) -> str | None:
        return self.to("aggregators", row.current_aggregator_id)

    def get_qos_profile(self, row: Bond) -> str | None:
        return self.to("qos", row.qos_profile_id)

    def get_tunnel_bonder_ip(self, row: Bond) -> str:
        return str(IPv4Address(row.tunnel_number))

    def get_packet_loss_threshold(self, row: Bond) -> float:
        whole, rest = divmod(row.packet_loss_threshold_permille, 10)
        return row.packet_loss_threshold_permille / 10 if rest else whole

    def get_status(self, row: Bond) -> str:
        if row.bonder.last_connected is None:
            return "unknown"
        legs, show = row.legs.all(), PlainLeg(context=self.context)
        active = [leg for leg in legs if leg.link_mode == "active"]
        return "up" if any(show.get_state(leg) in CARRYING for leg in active) else "down"

    def get_download_rate(self, row: Bond) -> int:
        return row.report.download_rate if self._is_fresh(row) else 0

    def get_upload_rate(self, row: Bond) -> int:
        return row.report.upload_rate if self._is_fresh(row) else 0

    def get_alarms(self, row: Bond) -> list[dict[str, Any]]:
        own = [{**alarm, "leg": None} for alarm in stored(row.report.alarms)]
        show = PlainLeg(context=self.context)
        legs = [(show.get_url(leg), stored(leg.report.alarms)) for leg in row.legs.all()]
        return own + [{**alarm, "leg": url} for url, alarms in legs for alarm in alarms]

    def _is_fresh(self, row: Bond) -> bool:
        since: datetime = self.context["since"]
        return row.report.reported is not None and row.report.reported >= since


class Pages(pagination.PageNumberPagination):
    page_size_query_param = "page_size"


class PlainBonds(generics.ListAPIView[Any]):
    authentication_classes = [Credentials]
    renderer_classes = [JSONRenderer]
    pagination_class = Pages
    serializer_class = PlainBond

    def get_queryset(self) -> QuerySet[Bond]:
        rows = Bond.objects.order_by("id").select_related(*RELATED)
        return rows.prefetch_related(*BELOW)

    def get_serializer_context(self) -> dict[str, Any]:
        timeout = current_settings().node_status_timeout
        now = timezone.now()
        more = {"now": now, "timeout": timeout, "since": now - timedelta(seconds=timeout)}
        return {**super().get_serializer_context(), **more}


def _status(row: Bonder, context: Mapping[str, Any]) -> str:
    return node_status(
        last_connected=row.last_connected, timeout_seconds=context["timeout"], now=context["now"]
    )


def _mbit(kbps: int) -> float:
    return kbps / 1000 if kbps % 1000 else kbps // 1000


def _netmask(prefix: int | None) -> str | None:
    return None if prefix is None else str(ip_network(f"0.0.0.0/{prefix}").netmask)


view: Callable[..., Any] = PlainBonds.as_view()
