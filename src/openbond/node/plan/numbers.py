"""The numbers by which a node knows its own kernel objects from everybody else's."""

# Routing protocol of our routes, rules and addresses (rtnetlink(7)); others are never touched.
PROTOCOL = 201
# Of the "unreachable" routes behind them: who redistributes PROTOCOL leaves these alone.
FALLBACK_PROTOCOL = 202

# One table per leg and one per bonder's site. Far above what people number by hand.
LEG_TABLES = 100_000_000
SITE_TABLES = 200_000_000
# One per space whose private WAN an aggregator serves.
SPACE_TABLES = 300_000_000

# Rules in the order the kernel asks them; all but the last before the main table (32766).
LEG_BY_INTERFACE = 10_100
LEG_BY_SOURCE = 10_200
FROM_SITE = 10_300
FROM_SPACE = 10_350
FROM_TUNNEL = 10_400
FROM_TUNNEL_ELSE = 10_401
OWN_SOURCES = 10_500
OWN_TRAFFIC = 32_900

# The fallback must lose against every other route of its table.
FALLBACK_METRIC = 4_278_198_272
# What the kernel gives an IPv6 route that names no metric.
IPV6_METRIC = 1024

# Packets of a private WAN carry this plus the space's id on their way through an aggregator.
SPACE_MARKS = 0x4F00_0000
# Trunks between aggregators have tunnels of their own, numbered above all bonds.
TRUNK_IDS = 4_000_000_000
# VXLAN in trunks. Not the port of RFC 7348: what others on this machine do with that is theirs.
VXLAN_PORT = 1998
VXLAN_OVERHEAD = 50  # inner Ethernet, VXLAN, UDP and IPv4 headers

DEVICE_PREFIX = "tun"
SPACE_PREFIX = "pwan"
# A device carries this alias; a foreign `tun7` of another program does not.
DEVICE_ALIAS = "openbond"
FILTER_TABLE = "openbond"


def leg_table(leg_id: int) -> int:
    return LEG_TABLES + leg_id


def site_table(bond_id: int) -> int:
    return SITE_TABLES + bond_id


def device_of(bond_id: int) -> str:
    return f"{DEVICE_PREFIX}{bond_id}"


def ppp_device_of(leg_id: int) -> str:
    return f"ppp{leg_id}"


def space_table(space_id: int) -> int:
    return SPACE_TABLES + space_id


def space_device_of(space_id: int) -> str:
    return f"{SPACE_PREFIX}{space_id}"


def space_mark(space_id: int) -> int:
    return SPACE_MARKS + space_id


def is_trunk(bond_id: int) -> bool:
    """Report whether a tunnel's number is that of a trunk between aggregators."""
    return bond_id > TRUNK_IDS
