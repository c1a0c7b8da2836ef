"""The numbers by which a node knows its own kernel objects from everybody else's."""

# Routing protocol of our routes, rules and addresses (rtnetlink(7)); others are never touched.
PROTOCOL = 201
# Of the "unreachable" routes behind them: who redistributes PROTOCOL leaves these alone.
FALLBACK_PROTOCOL = 202

# One table per leg and one per bonder's site. Far above what people number by hand.
LEG_TABLES = 100_000_000
SITE_TABLES = 200_000_000

# Rules in the order the kernel asks them; all but the last before the main table (32766).
LEG_BY_INTERFACE = 10_100
LEG_BY_SOURCE = 10_200
FROM_SITE = 10_300
FROM_TUNNEL = 10_400
FROM_TUNNEL_ELSE = 10_401
OWN_SOURCES = 10_500
OWN_TRAFFIC = 32_900

# The fallback must lose against every other route of its table.
FALLBACK_METRIC = 4_278_198_272
# What the kernel gives an IPv6 route that names no metric.
IPV6_METRIC = 1024

DEVICE_PREFIX = "tun"
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
