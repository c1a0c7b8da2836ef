"""The v3 URI table. Read it beside the published one: the same rows in the same order."""

from django.urls import URLPattern, path, register_converter

from openbond.server.api.view import Door

from .aggregators import Aggregators
from .bond_lists import BondsCurrentOfAggregator, BondsOfAggregator, BondsSecondaryOfAggregator
from .bonders import Bonders
from .bonds import Bonds
from .connected_ips import ConnectedIps
from .indexes import Root
from .legs import DhcpLegs, Legs, MobilebroadbandLegs, PppoeLegs, StaticLegs
from .nodes import Nodes
from .routing_groups import RoutingGroups
from .state_history import (
    DhcpStateHistory,
    MobilebroadbandStateHistory,
    PppoeStateHistory,
    StateHistory,
    StaticStateHistory,
)


class Id:
    """An id: longer numbers than a database can hold name nothing."""

    regex = "[0-9]{1,18}"

    def to_python(self, text: str) -> int:
        return int(text)

    def to_url(self, number: int) -> str:
        return str(number)


register_converter(Id, "id")

Handlers = dict[str, str]

READ: Handlers = {"get": "retrieve"}
LIST: Handlers = {"get": "list_all"}
ROWS: Handlers = {"get": "list_all", "post": "create"}
ROW: Handlers = {"get": "retrieve", "put": "replace", "patch": "change", "delete": "remove"}
ROW_THAT_STAYS: Handlers = {"get": "retrieve", "put": "replace", "patch": "change"}


def uri(route: str, view: type[Door], handlers: Handlers, about: str) -> URLPattern:
    view_of_row = view.as_view(handlers, description=about)  # type: ignore[arg-type]  # invariance
    return path(route, view_of_row)


def action(route: str, view: type[Door], about: str) -> URLPattern:
    """A POST whose handler is the last word of its address."""
    handler = route.rstrip("/").rpartition("/")[2]
    return uri(route, view, {"post": handler}, about)


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
    uri("bonds/", Bonds, ROWS, "Bonds"),
    uri("bonds/<id:pk>/", Bonds, ROW, "One bond"),
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
