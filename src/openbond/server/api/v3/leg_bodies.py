"""What a client may send to the legs of each type (03-legs.md, 1 and 2)."""

from typing import ClassVar

from django.db.models import Model
from rest_framework import serializers

from openbond.server.api.addresses import Interface, Ipv4, Mac, Prefix
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Flag, Link, Number, Objects, Text, Time, Whole
from openbond.server.api.relations import Relation
from openbond.server.bonds.models import InterfaceMode
from openbond.server.bonds.selectors import mobile_provider_profiles_visible_to
from openbond.server.measurement.rules.alarms import AlarmKind
from openbond.wire.states import LegType, LinkMode, ShownState

TYPES = [leg_type.value for leg_type in LegType]
LINK_MODES = [mode.value for mode in LinkMode]
STATES = [state.value for state in ShownState]
ALARMS = [kind.value for kind in AlarmKind]
TECHNOLOGIES = ["2g", "3g", "4g", "5g"]
MAX_MBIT = "100000"


class AlarmBody(serializers.Serializer[Model]):
    """An open alarm of a leg (behaviour 3.10)."""

    alarm = Choice(ALARMS, read_only=True)
    opened = Time()


class LegBody(Body):
    """The fields of every leg."""

    id = Whole(read_only=True)
    url = Link()
    type = Choice(TYPES, read_only=True)
    bond = Link()
    link_mode = Choice(LINK_MODES)
    failover = Flag()
    state = Choice(STATES, read_only=True)
    aggregator_state = Choice(STATES, read_only=True)
    bonder_state = Choice(STATES, read_only=True)
    interface: Text = Interface(required=True)
    interface_mac: Text = Mac(allow_null=True)
    interface_mtu = Whole(576, 9216, allow_null=True, help_text="bytes; null = the system's")
    interface_mode = Choice(InterfaceMode.values)
    ip = Text(read_only=True, allow_null=True)
    netmask = Text(read_only=True, allow_null=True)
    gateway = Text(read_only=True, allow_null=True)
    down_speed = Number("0", MAX_MBIT, required=True, help_text="Mbit/s")
    up_speed = Number("0", MAX_MBIT, required=True, help_text="Mbit/s")
    adapted_down_speed = Number(read_only=True, allow_null=True, help_text="Mbit/s")
    adapted_up_speed = Number(read_only=True, allow_null=True, help_text="Mbit/s")
    mtu = Whole(read_only=True, help_text="bytes")
    tunnel_port = Whole(read_only=True)
    alarms = Objects(AlarmBody)
    note = Text(4000)
    created = Time()
    modified = Time()


class AnyLegBody(LegBody):
    """A leg of any type, which is only read: a mobile one may have no interface yet."""

    interface = Text(read_only=True, allow_null=True)


class StaticLegBody(LegBody):
    ip = Ipv4(required=True)
    netmask = Prefix(1, 31, required=True)
    gateway = Ipv4(required=True)


class DhcpLegBody(LegBody):
    dhcp_server = Text(read_only=True, allow_null=True)
    lease_obtained = Time(allow_null=True)
    lease_expires = Time(allow_null=True)


class PppoeLegBody(LegBody):
    username = Text(255, blank=False, required=True)
    password = Text(255, blank=False, required=True)
    service_name = Text(255)

    # Whoever may write legs may write this one; only reading needs the code of credentials.
    post_only: ClassVar[frozenset[str]] = frozenset({"password"})


class MobilebroadbandLegBody(LegBody):
    interface = Text(read_only=True, allow_null=True)
    interface_mac = Text(read_only=True, allow_null=True)
    interface_mode = Choice(InterfaceMode.values, read_only=True)
    provider_profile = Relation(
        "mobileproviderprofiles", mobile_provider_profiles_visible_to, required=True
    )
    modem = Text(64)
    imei = Text(read_only=True, allow_null=True)
    operator = Text(read_only=True, allow_null=True)
    access_technology = Choice(TECHNOLOGIES, read_only=True, allow_null=True)
    signal_quality = Whole(read_only=True, allow_null=True, help_text="percent")


BODIES = {
    LegType.STATIC: StaticLegBody,
    LegType.DHCP: DhcpLegBody,
    LegType.PPPOE: PppoeLegBody,
    LegType.MOBILEBROADBAND: MobilebroadbandLegBody,
}
