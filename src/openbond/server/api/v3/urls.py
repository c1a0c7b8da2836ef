"""The v3 URI table. Read it beside the published one: the same rows in the same order."""

from django.urls import URLPattern, include, path, register_converter

from openbond.server.api.view import Door

from .aggregators import Aggregators
from .assigned_routing_groups import AssignedRoutingGroups
from .bond_lists import (
    BondsCurrentOfAggregator,
    BondsOfAggregator,
    BondsOfQosProfile,
    BondsSecondaryOfAggregator,
)
from .bonders import Bonders
from .bonds import Bonds
from .connected_ips import ConnectedIps
from .cpe_nat_ips import CpeNatIps
from .downtime_prevented import DowntimePrevented, DowntimePreventedOnBond
from .groups import Groups, Permissions
from .indexes import Root
from .ip_allocations import AllocationsOfSpace, DelegationsToSpace, IpAllocations
from .legs import DhcpLegs, Legs, MobilebroadbandLegs, PppoeLegs, StaticLegs
from .mobile_provider_profiles import MobileProviderProfiles
from .nodes import Nodes
from .own import Self
from .qos_profiles import QosProfiles
from .routes import Routes
from .routing_groups import RoutingGroups
from .settings import SettingsObject
from .spaces import Spaces
from .speed_tests import SpeedTests
from .state_history import (
    DhcpStateHistory,
    MobilebroadbandStateHistory,
    PppoeStateHistory,
    StateHistory,
    StaticStateHistory,
)
from .statistics import STATISTICS, Statistics
from .system import (
    AggregatorFailover,
    Backups,
    BondingVersion,
    ConfigUpdates,
    CreateIsos,
    Isos,
    LatestBackup,
    MobileBroadbandProviderApns,
    Repositories,
    System,
    SystemStatus,
    SystemTasks,
    Timezones,
    TlsInfo,
    Versions,
)
from .tuners import BondTuners, LegTuners
from .users import Users


class IdOrKey:
    """The id of a space, or its key; a key is never all digits."""

    regex = "[A-Za-z0-9_-]{1,63}"

    def to_python(self, text: str) -> str:
        return text

    def to_url(self, text: str) -> str:
        return text


class Id:
    """An id: longer numbers than a database can hold name nothing."""

    regex = "[0-9]{1,18}"

    def to_python(self, text: str) -> int:
        return int(text)

    def to_url(self, number: int) -> str:
        return str(number)


register_converter(Id, "id")
register_converter(IdOrKey, "space")

Handlers = dict[str, str]

READ: Handlers = {"get": "retrieve"}
LIST: Handlers = {"get": "list_all"}
ROWS: Handlers = {"get": "list_all", "post": "create"}
ROW: Handlers = {"get": "retrieve", "put": "replace", "patch": "change", "delete": "remove"}
ROW_THAT_NEVER_CHANGES: Handlers = {"get": "retrieve", "delete": "remove"}
ROW_THAT_STAYS: Handlers = {"get": "retrieve", "put": "replace", "patch": "change"}


def uri(route: str, view: type[Door], handlers: Handlers, about: str) -> URLPattern:
    view_of_row = view.as_view(handlers, description=about)  # type: ignore[arg-type]  # invariance
    return path(route, view_of_row)


def action(route: str, view: type[Door], about: str) -> URLPattern:
    """A POST whose handler is the last word of its address."""
    handler = route.rstrip("/").rpartition("/")[2]
    return uri(route, view, {"post": handler}, about)


def decisions(route: str, view: type[Door], what: str) -> list[URLPattern]:
    """What may be done to a tuning."""
    return [
        action(f"{route}cancel/", view, f"Action: stop {what} that has not ended"),
        action(f"{route}accept/", view, f"Action: apply the recommendations of {what}"),
        action(f"{route}decline/", view, f"Action: reject the recommendations of {what}"),
    ]


SYSTEM_URIS = [
    uri("system/", System, READ, "Index of system resources"),
    uri("system/status/", SystemStatus, READ, "Index of status resources"),
    uri(
        "system/status/configupdates/",
        ConfigUpdates,
        READ,
        "Configuration update counts by status",
    ),
    uri(
        "system/status/downtime_prevented/",
        DowntimePrevented,
        READ,
        "Downtime prevented on all bonds, last week and last month",
    ),
    uri(
        "system/status/bondingversion/",
        BondingVersion,
        READ,
        "Bonding package version the repository offers",
    ),
    uri(
        "system/status/repositories/",
        Repositories,
        LIST,
        "Versions available in the software repository",
    ),
    uri(
        "system/status/tlsinfo/",
        TlsInfo,
        READ,
        "TLS certificate and signing request of the web server",
    ),
    uri("system/status/aggfailover/", AggregatorFailover, READ, "Aggregator check counters"),
    uri("system/status/backups/", Backups, LIST, "Stored backups"),
    uri("system/status/backups/latest-backup/", LatestBackup, READ, "Newest backup as a zip file"),
    uri("system/tasks/", SystemTasks, READ, "Index of tasks"),
    action("system/tasks/createisos/", CreateIsos, "Task: rebuild the provisioning ISO files"),
    uri("system/versions/", Versions, READ, "Versions of the server software"),
    uri("system/timezones/", Timezones, READ, "Names of time zones"),
    uri(
        "system/mobilebroadbandproviderapns/",
        MobileBroadbandProviderApns,
        LIST,
        "Reference list of mobile operators and their APNs",
    ),
    uri("system/isos/", Isos, LIST, "Provisioning ISO files"),
]

urlpatterns = [
    uri("", Root, READ, "Index of the top-level resources"),
    uri("nodes/", Nodes, LIST, "All nodes, bonders and aggregators together"),
    uri("nodes/<id:pk>/", Nodes, READ, "One node"),
    uri("aggregators/", Aggregators, ROWS, "Aggregators"),
    uri("aggregators/<id:pk>/", Aggregators, ROW, "One aggregator"),
    uri(
        "aggregators/<id:pk>/bonds/",
        BondsOfAggregator,
        LIST,
        "Bonds whose primary aggregator is X",
    ),
    uri(
        "aggregators/<id:pk>/bonds_secondary/",
        BondsSecondaryOfAggregator,
        LIST,
        "Bonds whose secondary aggregator is X",
    ),
    uri(
        "aggregators/<id:pk>/bonds_current/",
        BondsCurrentOfAggregator,
        LIST,
        "Bonds running on aggregator X now",
    ),
    uri("bonders/", Bonders, LIST, "Bonders"),
    uri("bonders/<id:pk>/", Bonders, ROW_THAT_STAYS, "One bonder"),
    uri("qos/", QosProfiles, LIST, "QoS profiles"),
    uri("qos/<id:pk>/", QosProfiles, ROW, "One QoS profile"),
    uri("qos/<id:pk>/bonds/", BondsOfQosProfile, LIST, "Bonds that use QoS profile X"),
    uri("bonds/", Bonds, ROWS, "Bonds"),
    uri("bonds/<id:pk>/", Bonds, ROW, "One bond"),
    uri(
        "bonds/<id:bond_id>/downtime_prevented/",
        DowntimePreventedOnBond,
        READ,
        "Downtime prevented on bond X, last week and last month",
    ),
    action("bonds/<id:pk>/restart/", Bonds, "Action: restart bond X"),
    action(
        "bonds/<id:pk>/detect_leg_mtus/",
        Bonds,
        "Action: measure the path MTU of every active-mode leg",
    ),
    action(
        "bonds/<id:pk>/restore_to_primary_agg/",
        Bonds,
        "Action: move bond X back to its primary aggregator",
    ),
    uri("bonds/<id:bond_id>/legs/", Legs, LIST, "Legs of bond X, every type, read-only"),
    uri("bonds/<id:bond_id>/legs/<id:pk>/", Legs, READ, "One leg of any type, read-only"),
    action(
        "bonds/<id:bond_id>/legs/<id:pk>/detect_mtus/",
        Legs,
        "Action: measure the path MTU of leg Y",
    ),
    uri(
        "bonds/<id:bond_id>/legs/<id:pk>/state_history/",
        StateHistory,
        LIST,
        "States of leg Y over the last 24 hours, equal neighbours merged",
    ),
    uri("bonds/<id:bond_id>/dhcp_legs/", DhcpLegs, ROWS, "DHCP legs of bond X"),
    uri("bonds/<id:bond_id>/dhcp_legs/<id:pk>/", DhcpLegs, ROW, "One DHCP leg"),
    action(
        "bonds/<id:bond_id>/dhcp_legs/<id:pk>/renew/",
        DhcpLegs,
        "Action: renew the DHCP lease of leg Y",
    ),
    uri("bonds/<id:bond_id>/static_legs/", StaticLegs, ROWS, "Static legs of bond X"),
    uri("bonds/<id:bond_id>/static_legs/<id:pk>/", StaticLegs, ROW, "One static leg"),
    uri("bonds/<id:bond_id>/pppoe_legs/", PppoeLegs, ROWS, "PPPoE legs of bond X"),
    uri("bonds/<id:bond_id>/pppoe_legs/<id:pk>/", PppoeLegs, ROW, "One PPPoE leg"),
    uri(
        "bonds/<id:bond_id>/mobilebroadband_legs/",
        MobilebroadbandLegs,
        ROWS,
        "Mobile broadband legs of bond X",
    ),
    uri(
        "bonds/<id:bond_id>/mobilebroadband_legs/<id:pk>/",
        MobilebroadbandLegs,
        ROW,
        "One mobile broadband leg",
    ),
    uri("bonds/<id:bond_id>/connected_ips/", ConnectedIps, ROWS, "Connected IPs of bond X"),
    uri("bonds/<id:bond_id>/connected_ips/<id:pk>/", ConnectedIps, ROW, "One connected IP"),
    uri("bonds/<id:bond_id>/cpe_nat_ips/", CpeNatIps, ROWS, "CPE NAT IPs of bond X"),
    uri("bonds/<id:bond_id>/cpe_nat_ips/<id:pk>/", CpeNatIps, ROW, "One CPE NAT IP"),
    uri("bonds/<id:bond_id>/routes/", Routes, ROWS, "Routes of bond X"),
    uri("bonds/<id:bond_id>/routes/<id:pk>/", Routes, ROW, "One route"),
    uri("bonds/<id:bond_id>/speedtests/", SpeedTests, ROWS, "Speed tests of bond X"),
    uri("bonds/<id:bond_id>/speedtests/<id:pk>/", SpeedTests, READ, "One speed test"),
    uri("bonds/<id:bond_id>/tuners/", BondTuners, ROWS, "Bond tunings; POST starts one"),
    uri("bonds/<id:bond_id>/tuners/<id:pk>/", BondTuners, READ, "One bond tuning"),
    *decisions("bonds/<id:bond_id>/tuners/<id:pk>/", BondTuners, "a bond tuning"),
    uri(
        "bonds/<id:bond_id>/legs/<id:leg_id>/tuners/",
        LegTuners,
        ROWS,
        "Leg tunings; POST starts one",
    ),
    uri("bonds/<id:bond_id>/legs/<id:leg_id>/tuners/<id:pk>/", LegTuners, READ, "One leg tuning"),
    *decisions("bonds/<id:bond_id>/legs/<id:leg_id>/tuners/<id:pk>/", LegTuners, "a leg tuning"),
    uri("ipallocations/", IpAllocations, ROWS, "IP allocations and delegations"),
    uri("ipallocations/<id:pk>/", IpAllocations, ROW, "One IP allocation or delegation"),
    uri(
        "ipallocations/<id:allocation_id>/assigned_routing_groups/",
        AssignedRoutingGroups,
        ROWS,
        "Routing groups where allocation X is valid; POST assigns one",
    ),
    uri(
        "ipallocations/<id:allocation_id>/assigned_routing_groups/<id:pk>/",
        AssignedRoutingGroups,
        ROW_THAT_NEVER_CHANGES,
        "One assignment; DELETE ends it",
    ),
    uri("mobileproviderprofiles/", MobileProviderProfiles, ROWS, "Mobile provider profiles"),
    uri(
        "mobileproviderprofiles/<id:pk>/",
        MobileProviderProfiles,
        ROW,
        "One mobile provider profile",
    ),
    uri("users/", Users, ROWS, "Users"),
    uri("users/<id:pk>/", Users, ROW, "One user"),
    uri("groups/", Groups, ROWS, "Authorization groups"),
    uri("groups/<id:pk>/", Groups, ROW, "One group"),
    uri("permissions/", Permissions, READ, "Permission codes with their printable names"),
    uri("spaces/", Spaces, ROWS, "Spaces"),
    uri("spaces/<space:pk>/", Spaces, ROW, "One space"),
    uri("spaces/<space:space>/statistics/", Statistics, READ, "Index of the statistics resources"),
    *(
        uri(f"spaces/<space:space>/statistics/{name}/", view, READ, f"Counts of {name} of space X")
        for name, view in STATISTICS.items()
    ),
    uri(
        "spaces/<space:space>/ip_allocations/",
        AllocationsOfSpace,
        ROWS,
        "Allocations the space itself owns",
    ),
    uri("spaces/<space:space>/ip_allocations/<id:pk>/", AllocationsOfSpace, ROW, "One of them"),
    uri(
        "spaces/<space:space>/delegated_ip_allocations/",
        DelegationsToSpace,
        ROWS,
        "Networks given to the space by its parent",
    ),
    uri(
        "spaces/<space:space>/delegated_ip_allocations/<id:pk>/",
        DelegationsToSpace,
        ROW,
        "One of them",
    ),
    *SYSTEM_URIS,
    uri("settings/", SettingsObject, ROW_THAT_STAYS, "System settings"),
    uri("self/", Self, READ, "Data for the project's own web site; private"),
    # Additions to the published table.
    action(
        "bonds/<id:bond_id>/dhcp_legs/<id:pk>/detect_mtus/",
        DhcpLegs,
        "Action: measure the path MTU of DHCP leg Y",
    ),
    uri(
        "bonds/<id:bond_id>/dhcp_legs/<id:pk>/state_history/",
        DhcpStateHistory,
        LIST,
        "States of DHCP leg Y over the last 24 hours",
    ),
    action(
        "bonds/<id:bond_id>/static_legs/<id:pk>/detect_mtus/",
        StaticLegs,
        "Action: measure the path MTU of static leg Y",
    ),
    uri(
        "bonds/<id:bond_id>/static_legs/<id:pk>/state_history/",
        StaticStateHistory,
        LIST,
        "States of static leg Y over the last 24 hours",
    ),
    action(
        "bonds/<id:bond_id>/pppoe_legs/<id:pk>/detect_mtus/",
        PppoeLegs,
        "Action: measure the path MTU of PPPoE leg Y",
    ),
    uri(
        "bonds/<id:bond_id>/pppoe_legs/<id:pk>/state_history/",
        PppoeStateHistory,
        LIST,
        "States of PPPoE leg Y over the last 24 hours",
    ),
    action(
        "bonds/<id:bond_id>/mobilebroadband_legs/<id:pk>/detect_mtus/",
        MobilebroadbandLegs,
        "Action: measure the path MTU of mobile broadband leg Y",
    ),
    uri(
        "bonds/<id:bond_id>/mobilebroadband_legs/<id:pk>/state_history/",
        MobilebroadbandStateHistory,
        LIST,
        "States of mobile broadband leg Y over the last 24 hours",
    ),
    uri("routinggroups/", RoutingGroups, ROWS, "Routing groups"),
    uri("routinggroups/<id:pk>/", RoutingGroups, ROW, "One routing group"),
]

# The same with the address they are reached at, as the OpenAPI document needs it.
mounted = [path("api/v3/", include(urlpatterns))]
