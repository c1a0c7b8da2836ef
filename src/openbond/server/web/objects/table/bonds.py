"""Bonds, and what belongs to one: legs, addresses, routes."""

from openbond.server.web.objects.declaring import Action, Group, Related, Sheet
from openbond.server.web.objects.everywhere import (
    AllConnectedIps,
    AllCpeNatIps,
    AllLegs,
    AllRoutes,
    only_read,
)

BOND = "bonds/<id:bond_id>/"
DATES = Group("Record", ("id", "created", "modified"))

BOND_GROUPS = (
    Group("Now", ("status", "alarms", "leg_list", "download_rate", "upload_rate")),
    Group(
        "What it is",
        ("name", "space", "circuit_id", "product", "proof_of_concept", "note", "hostname"),
    ),
    Group(
        "Where it runs",
        (
            "bonder",
            "aggregator",
            "secondary_aggregator",
            "current_aggregator",
            "tunnel_subnet",
            "tunnel_bonder_ip",
            "tunnel_aggregator_ip",
        ),
    ),
    Group(
        "Traffic",
        (
            "qos_profile",
            "packet_distribution",
            "reorder_max_hold",
            "flow_collision_detection",
            "compression",
            "clamp_tcp",
            "tcp_proxy",
            "tcp_proxy_ports",
        ),
    ),
    Group("Security", ("tunnel_security", "encryption_cipher", "encryption_handshake_interval")),
    Group(
        "Watching the legs",
        (
            "automatic_ping_timing",
            "ping_interval",
            "ping_timeout",
            "bandwidth_adaptation",
            "packet_loss_detection",
            "packet_loss_threshold",
            "flap_detection",
            "flap_threshold",
            "flap_window",
        ),
    ),
    Group("Tuning", ("automatic_tuning", "auto_accept", "tuning_in_progress")),
    DATES,
)
BOND_HELPS = {
    "name": "The name of its bonder, too. Left empty, a random one is given.",
    "aggregator": "Where the tunnel ends. It must be usable in the bond's space.",
    "secondary_aggregator": "Where the bond goes when its aggregator fails.",
    "packet_distribution": "How packets are spread over the legs.",
    "reorder_max_hold": "How long a packet waits for those before it.",
    "encryption_handshake_interval": "How often keys are renewed.",
    "automatic_ping_timing": "Chooses interval and timeout by the legs' delay; yours are kept.",
    "flap_threshold": "So many changes to down within the window, and the leg rests.",
    "auto_accept": "Recommendations of automatic tunings are taken without asking.",
    "tcp_proxy_ports": "Separated by commas: 80,443.",
}
BOND_ACTIONS = (
    Action(
        "restart",
        "Restart",
        "The tunnel of the bond is stopped and started anew at both ends. Traffic rests for some "
        "seconds.",
    ),
    Action(
        "detect_leg_mtus",
        "Detect MTU",
        "The largest packet that each active leg carries is measured anew. Traffic goes on.",
    ),
    Action(
        "restore_to_primary_agg",
        "Restore to primary",
        "The bond moves from the aggregator it runs on to its primary one. Traffic rests for some "
        "seconds.",
        is_elsewhere=True,
    ),
)
LEG_COLUMNS = ("interface", "type", "state", "link_mode", "alarms", "ip", "down_speed", "up_speed")
LEG_NOW = Group(
    "Now",
    (
        "state",
        "alarms",
        "bonder_state",
        "aggregator_state",
        "mtu",
        "adapted_down_speed",
        "adapted_up_speed",
    ),
)
LEG_LINE = Group("The line", ("link_mode", "failover", "down_speed", "up_speed", "note"))
LEG_INTERFACE = Group(
    "Interface",
    ("interface", "interface_mac", "interface_mtu", "interface_mode", "tunnel_port"),
)
LEG_RECORD = Group("Record", ("id", "type", "bond", "created", "modified"))
LEG_HELPS = {
    "interface": "The network card of the bonder, like eth1, or eth1.7 with a VLAN.",
    "link_mode": "active carries traffic, idle only answers, offline is switched off.",
    "failover": "Carries traffic only while no other leg does.",
    "down_speed": "What the line really carries towards the customer; a tuner measures it.",
    "up_speed": "What the line really carries from the customer; a tuner measures it.",
    "interface_mode": "Speed and duplex of the network card.",
}
DETECT = Action(
    "detect_mtus",
    "Detect MTU",
    "The largest packet that the leg carries is measured anew. Traffic goes on.",
)
RENEW = Action(
    "renew", "Renew lease", "The leg asks the DHCP server for its address anew. It rests meanwhile."
)
TUNINGS = Related("leg_tuners", "Tunings", path=("leg_id",))
LEG_BULK = ("link_mode", "failover", "note", "down_speed", "up_speed")


def leg_sheet(
    word: str, title: str, *groups: Group, actions: tuple[Action, ...] = (DETECT,)
) -> Sheet:
    """Return the sheet of the legs of one type below a bond."""
    return Sheet(
        key=word,
        route=f"{BOND}{word}/",
        title=f"{title}s",
        one=title,
        about="One line of the bond's site.",
        columns=LEG_COLUMNS,
        groups=(LEG_NOW, LEG_LINE, LEG_INTERFACE, *groups, LEG_RECORD),
        name="interface",
        kind="leg",
        actions=actions,
        related=(TUNINGS,),
        bulk=LEG_BULK,
        helps=LEG_HELPS,
        goes_with="Its tunnel port, its measurements and its histories go, too.",
    )


LEGS_OF_TYPES = (
    leg_sheet(
        "dhcp_legs",
        "DHCP leg",
        Group(
            "Address",
            (
                "ip",
                "netmask",
                "gateway",
                "dhcp_server",
                "lease_obtained",
                "lease_expires",
            ),
        ),
        actions=(DETECT, RENEW),
    ),
    leg_sheet("static_legs", "Static leg", Group("Address", ("ip", "netmask", "gateway"))),
    leg_sheet(
        "pppoe_legs",
        "PPPoE leg",
        Group(
            "Login",
            (
                "username",
                "password",
                "service_name",
            ),
        ),
        Group("Address", ("ip", "netmask", "gateway")),
    ),
    leg_sheet(
        "mobilebroadband_legs",
        "Mobile leg",
        Group(
            "Mobile operator",
            (
                "provider_profile",
                "modem",
                "imei",
                "operator",
                "access_technology",
                "signal_quality",
            ),
        ),
        Group("Address", ("ip", "netmask", "gateway")),
    ),
)
MAKES_LEGS = ("dhcp_legs", "static_legs", "pppoe_legs", "mobilebroadband_legs")

ADDRESS_HELPS = {
    "interface": "The network card of the bonder towards the customer.",
    "ip": "The bonder's own address there, with or without its prefix: 192.0.2.1/29.",
    "netmask": "255.255.255.248 or 29; not needed where the address has a prefix.",
    "network": "With or without its prefix: 192.0.2.0/24.",
    "gateway": "The router at the customer's site, in one of the connected networks.",
    "agg_routing": "How the aggregator tells the network to the core.",
    "include_private_wan": "Other bonds of the private WAN reach it, too.",
    "dest_nat_ip": "The customer's machine that answers at this address.",
}
CONNECTED_IP_COLUMNS = ("ip", "netmask", "interface", "network", "enabled", "agg_routing", "note")
ROUTE_COLUMNS = ("network", "gateway", "interface", "enabled", "agg_routing", "note")
NAT_COLUMNS = ("ip", "dest_nat_ip", "dest_nat_netmask", "enabled", "note")
SWITCHES = Group("Where it is known", ("enabled", "agg_routing", "include_private_wan", "note"))
OF_BOND = Group("Record", ("id", "bond", "created", "modified"))

ADDRESS_SHEETS = (
    Sheet(
        key="bond_connected_ips",
        route=f"{BOND}connected_ips/",
        title="Connected IPs",
        one="Connected IP",
        about="Addresses of the bonder on the customer's side; the network of each is routed.",
        columns=CONNECTED_IP_COLUMNS,
        groups=(
            Group("Address", ("interface", "ip", "netmask", "network")),
            SWITCHES,
            OF_BOND,
        ),
        name="ip",
        kind="connectedip",
        empty="Without one nobody at the site has an address. Add the first.",
        bulk=("enabled", "note", "agg_routing", "include_private_wan"),
        helps=ADDRESS_HELPS,
    ),
    Sheet(
        key="bond_cpe_nat_ips",
        route=f"{BOND}cpe_nat_ips/",
        title="CPE NAT IPs",
        one="CPE NAT IP",
        about="Public addresses that the bonder translates to one machine of the customer.",
        columns=NAT_COLUMNS,
        groups=(
            Group("Address", ("ip", "dest_nat_ip", "dest_nat_netmask")),
            Group("Switches", ("enabled", "note")),
            OF_BOND,
        ),
        name="ip",
        kind="cpenatip",
        bulk=("enabled", "note"),
        helps=ADDRESS_HELPS,
    ),
    Sheet(
        key="bond_routes",
        route=f"{BOND}routes/",
        title="Routes",
        one="Route",
        about="Further networks behind a router at the customer's site.",
        columns=ROUTE_COLUMNS,
        groups=(
            Group("Network", ("network", "netmask", "gateway", "interface")),
            SWITCHES,
            OF_BOND,
        ),
        name="network",
        kind="route",
        bulk=("enabled", "note", "agg_routing", "include_private_wan"),
        helps=ADDRESS_HELPS,
    ),
)
ADD_AT_A_BOND = "They are added on the page of a bond."

BOND_SHEETS = (
    Sheet(
        key="bonds",
        route="bonds/",
        title="Bonds",
        one="Bond",
        about="Each joins the legs of one site into one tunnel to an aggregator.",
        columns=(
            "name",
            "status",
            "leg_list",
            "alarms",
            "download_rate",
            "upload_rate",
            "space",
            "current_aggregator",
        ),
        groups=BOND_GROUPS,
        kind="bond",
        empty="Make an aggregator first, then a bond that ends there, then its legs.",
        actions=BOND_ACTIONS,
        related=(
            Related("bond_legs", "Legs", path=("bond_id",)),
            Related("bond_connected_ips", "Connected IPs", path=("bond_id",)),
            Related("bond_cpe_nat_ips", "CPE NAT IPs", path=("bond_id",)),
            Related("bond_routes", "Routes", path=("bond_id",)),
            Related("bond_speedtests", "Speed tests", path=("bond_id",)),
            Related("bond_tuners", "Tunings", path=("bond_id",)),
        ),
        bulk=(
            "note",
            "qos_profile",
            "product",
            "circuit_id",
            "proof_of_concept",
            "secondary_aggregator",
            "packet_distribution",
            "compression",
            "automatic_tuning",
            "auto_accept",
        ),
        goes_with="Its bonder goes, too: the node stops, and is told to forget everything.",
        helps=BOND_HELPS,
        left_out=frozenset({"connectedips", "cpenatips", "routes"}),
        beside=(("Import from CSV", "/bonds/import/"),),
        quick=(
            ("All", ""),
            ("Down", "?status=down"),
            ("Not heard of", "?status=unknown"),
            ("Legs down", "/legs/?link_mode=active&state=down"),
        ),
    ),
    Sheet(
        key="bond_legs",
        route=f"{BOND}legs/",
        title="Legs",
        one="Leg",
        about="The lines of one bond.",
        columns=LEG_COLUMNS,
        name="interface",
        kind="leg",
        empty="A bond carries traffic from its first leg on. Add one for each line of the site.",
        makes=MAKES_LEGS,
        bulk=LEG_BULK,
    ),
    *LEGS_OF_TYPES,
    *ADDRESS_SHEETS,
    Sheet(
        key="legs",
        route="legs/",
        title="Legs",
        one="Leg",
        about="The lines of all bonds.",
        columns=("interface", "bond", *LEG_COLUMNS[1:]),
        name="interface",
        empty=ADD_AT_A_BOND,
        own_place=only_read(AllLegs),
        quick=(
            ("All", ""),
            ("Down", "?link_mode=active&state=down"),
            ("Unhealthy", "?state=unhealthy"),
            ("Idle", "?link_mode=idle"),
            ("Offline", "?link_mode=offline"),
        ),
        bulk=LEG_BULK,
    ),
    Sheet(
        key="connected_ips",
        route="connected_ips/",
        title="Connected IPs",
        one="Connected IP",
        about="Addresses of bonders on the customers' side, of all bonds.",
        columns=("ip", "bond", *CONNECTED_IP_COLUMNS[1:]),
        name="ip",
        empty=ADD_AT_A_BOND,
        own_place=only_read(AllConnectedIps),
    ),
    Sheet(
        key="cpe_nat_ips",
        route="cpe_nat_ips/",
        title="CPE NAT IPs",
        one="CPE NAT IP",
        about="Public addresses that bonders translate, of all bonds.",
        columns=("ip", "bond", "dest_nat_ip", "dest_nat_netmask", "enabled", "note"),
        name="ip",
        empty=ADD_AT_A_BOND,
        own_place=only_read(AllCpeNatIps),
    ),
    Sheet(
        key="routes",
        route="routes/",
        title="Routes",
        one="Route",
        about="Networks behind routers at customers' sites, of all bonds.",
        columns=("network", "bond", *ROUTE_COLUMNS[1:]),
        name="network",
        empty=ADD_AT_A_BOND,
        own_place=only_read(AllRoutes),
    ),
)
