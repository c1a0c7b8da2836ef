"""What a client may send to a bond (02-bonds.md, 1)."""

import re

from django.db.models import Model
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from openbond.server.api.body import Body
from openbond.server.api.fields import (
    Choice,
    Flag,
    JsonValue,
    Link,
    Number,
    Objects,
    Text,
    Time,
    Whole,
    has_letter_or_digit,
)
from openbond.server.api.relations import Relation, SpaceRelation
from openbond.server.fleet.selectors import aggregators_visible_to
from openbond.server.qos.selectors import qos_profiles_visible_to
from openbond.wire.states import Cipher, Distribution, Security

from .connected_ips import ConnectedIpBody
from .cpe_nat_ips import CpeNatIpBody
from .leg_bodies import AlarmBody, AnyLegBody
from .nodes import STATUSES
from .routes import RouteBody

DISTRIBUTIONS = [value.value for value in Distribution]
SECURITIES = [value.value for value in Security]
CIPHERS = [value.value for value in Cipher]

MAX_PORTS = 32
LAST_PORT = 65535
PORT = re.compile("[1-9][0-9]{0,4}")
NOT_PORTS = "Enter 1 to 32 different ports from 1 to 65535, separated by commas, without spaces."


class Ports(Text):
    """Ports as text, `80,443`; a list of integers is taken too."""

    def run_validation(self, data: JsonValue = serializers.empty) -> str | None:
        if isinstance(data, list):
            data = ",".join(str(port) for port in data)
        ports: str | None = super().run_validation(data)
        return ports

    def to_internal_value(self, data: JsonValue) -> str:
        text = super().to_internal_value(data)
        words = text.split(",")
        if len(words) > MAX_PORTS or len(set(words)) < len(words):
            raise ValidationError(NOT_PORTS)
        if not all(PORT.fullmatch(word) and int(word) <= LAST_PORT for word in words):
            raise ValidationError(NOT_PORTS)
        return text


class Interval(Whole):
    """Seconds between key renewals; 0 turns them off."""

    def run_validators(self, value: JsonValue) -> None:
        if value != 0:
            super().run_validators(value)


class BondersPart(serializers.Serializer[Model]):
    """The bonder inside its bond."""

    id = Whole(read_only=True)
    url = Link()
    name = Text(read_only=True)
    key = Text(read_only=True)
    serial_number = Text(read_only=True)
    asset_tag = Text(read_only=True)
    version = Text(read_only=True)
    status = Choice(STATUSES, read_only=True)
    last_connected = Time(allow_null=True)


class BondsAlarm(AlarmBody):
    """`leg` is null for an alarm of the bond itself."""

    leg = Link(allow_null=True)


class BondBody(Body):
    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, validators=[has_letter_or_digit])
    bonder = BondersPart(read_only=True)
    space = SpaceRelation()
    note = Text(4000)
    circuit_id = Text(255)
    product = Text(255)
    proof_of_concept = Flag()
    hostname = Text(read_only=True)

    aggregator = Relation("aggregators", aggregators_visible_to, required=True)
    secondary_aggregator = Relation("aggregators", aggregators_visible_to, allow_null=True)
    current_aggregator = Link()
    qos_profile = Relation("qos", qos_profiles_visible_to, allow_null=True)
    tunnel_subnet = Text(read_only=True)
    tunnel_bonder_ip = Text(read_only=True)
    tunnel_aggregator_ip = Text(read_only=True)
    compression = Flag()
    clamp_tcp = Flag()
    packet_distribution = Choice(DISTRIBUTIONS)
    reorder_max_hold = Whole(0, 1000, help_text="milliseconds; 0 = no reordering")
    flow_collision_detection = Flag()
    tunnel_security = Choice(SECURITIES)
    encryption_cipher = Choice(CIPHERS)
    encryption_handshake_interval = Interval(60, 86400, help_text="seconds; 0 = never")
    automatic_ping_timing = Flag()
    ping_interval = Whole(50, 5000, help_text="milliseconds")
    ping_timeout = Whole(200, 60000, help_text="milliseconds")

    tcp_proxy = Flag()
    tcp_proxy_ports = Ports()
    bandwidth_adaptation = Flag()
    packet_loss_detection = Flag()
    packet_loss_threshold = Number("0.1", "100", decimals=1, help_text="percent")
    flap_detection = Flag()
    flap_threshold = Whole(2, 100, help_text="changes to down")
    flap_window = Whole(10, 3600, help_text="seconds")
    automatic_tuning = Flag()
    auto_accept = Flag()

    status = Choice(STATUSES, read_only=True)
    download_rate = Whole(read_only=True, help_text="bit/s")
    upload_rate = Whole(read_only=True, help_text="bit/s")
    tuning_in_progress = Flag(read_only=True)
    alarms = Objects(BondsAlarm)
    leg_list = Objects(AnyLegBody)
    connectedips = Objects(ConnectedIpBody)
    cpenatips = Objects(CpeNatIpBody)
    routes = Objects(RouteBody)
    created = Time()
    modified = Time()
