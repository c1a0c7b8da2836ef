"""What the side bar offers, and to whom."""

from dataclasses import dataclass
from functools import lru_cache

from django.urls import NoReverseMatch, reverse

from openbond.server.spaces.viewer import Viewer


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: the name of its URL, the words, an icon of icons.svg, the code it needs."""

    name: str
    words: str
    icon: str
    code: str = ""
    root_only: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    words: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Line:
    words: str
    icon: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Section:
    words: str
    lines: list[Line]


# An entry whose URL is not there is not shown.
GROUPS = (
    Group("Overview", (Entry("dashboard", "Dashboard", "dashboard"),)),
    Group(
        "Bonds",
        (
            Entry("bonds", "Bonds", "bond", "view_bond"),
            Entry("legs", "Legs", "leg", "view_leg"),
            Entry("bonders", "Bonders", "bonder", "view_bonder"),
        ),
    ),
    Group(
        "Network",
        (
            Entry("aggregators", "Aggregators", "aggregator", "view_aggregator"),
            Entry("routing_groups", "Routing groups", "group", "view_routinggroup"),
            Entry("connected_ips", "Connected IPs", "address", "view_connectedip"),
            Entry("cpe_nat_ips", "CPE NAT IPs", "nat", "view_cpenatip"),
            Entry("routes", "Routes", "route", "view_route"),
            Entry("ip_allocations", "IP allocations", "allocation", "view_ipallocation"),
        ),
    ),
    Group(
        "Quality",
        (
            Entry("qos_profiles", "QoS profiles", "quality", "view_qosprofile"),
            Entry(
                "mobile_provider_profiles",
                "Mobile provider profiles",
                "mobile",
                "view_mobileproviderprofile",
            ),
        ),
    ),
    Group(
        "Measurement",
        (
            Entry("speed_tests", "Speed tests", "speed", "view_speedtest"),
            Entry("tuners", "Tuners", "tuner", "view_tuner"),
            Entry("downtime_prevented", "Prevented downtime", "shield", "view_systemstatus"),
        ),
    ),
    Group(
        "People",
        (
            Entry("spaces", "Spaces", "space", "view_space"),
            Entry("users", "Users", "user", "view_user"),
            Entry("groups", "Groups", "users", "view_group"),
        ),
    ),
    Group(
        "System",
        (
            Entry("settings", "Settings", "settings", "view_settings", root_only=True),
            Entry("config_updates", "Config updates", "update", "view_systemstatus"),
            Entry("failover", "Failover", "failover", "view_systemstatus"),
            Entry("audit", "Audit", "audit"),
            Entry("tasks", "Background tasks", "clock", "view_systemstatus", root_only=True),
            Entry("backups", "Backups", "backup", "view_backup", root_only=True),
            Entry("tls", "TLS", "lock", "view_systemstatus"),
            Entry("versions", "Versions", "version", "view_systemstatus"),
        ),
    ),
)


def sections_for(viewer: Viewer, path: str) -> list[Section]:
    """Return what the viewer may open; `path` is that of the page he is on."""
    sections = [
        Section(
            group.words, [_line(entry, path) for entry in group.entries if _is_open(entry, viewer)]
        )
        for group in GROUPS
    ]
    return [section for section in sections if section.lines]


def _is_open(entry: Entry, viewer: Viewer) -> bool:
    if not _url(entry.name) or (entry.code and not viewer.can(entry.code)):
        return False
    return viewer.is_root or not entry.root_only


def _line(entry: Entry, path: str) -> Line:
    url = _url(entry.name)
    is_current = path == url if url == "/" else path.startswith(url)
    return Line(entry.words, entry.icon, url, is_current)


@lru_cache(maxsize=64)
def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
