"""How single values look: text, badges, links, times. Everything that comes from outside is
escaped here, and nowhere else."""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import cache
from typing import Any

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from openbond.server.api.fields import AnyField, Link, Time
from openbond.server.api.options import type_of
from openbond.server.web.templatetags.web import icon
from openbond.server.web.words import bits, relative, shown_state

from .names import Names, site_path

Shown = Mapping[str, Any]
Cell = Callable[[Any], SafeString]

NOTHING = format_html('<span class="nothing">{}</span>', "\u2013")
YES, NO = escape("yes"), format_html('<span class="nothing">{}</span>', "no")
LONG = 60
MOST = 30
SHORT = 5
UNBROKEN = "\u00a0"

EMPTY: tuple[object, ...] = (None, "")
WELL = {"up", "idle", "offline", "adjusted"}
STATES = {"status", "state", "aggregator_state", "bonder_state", "link_mode", "decision"}


@cache
def _mark(colour: str, shape: str) -> SafeString:
    return format_html('<span class="state state-{}">{}', colour, icon(shape))


class Cells:
    """Makes the cells of one page: in the viewer's time zone, with the names it looked up."""

    def __init__(self, names: Names, zone: tzinfo, now: datetime) -> None:
        self.names = names
        self.zone = zone
        self.now = now
        self._links: dict[str, SafeString] = {}

    def of(self, name: str, field: AnyField | None, *, in_row: bool = False) -> Cell:
        """Return how the values of a field are shown; in a row of a list, what counts of them."""
        special = IN_ROWS.get(name) if in_row else None
        special = special or self._special(name)
        if special is not None:
            return special
        if name in STATES:
            return badge
        if field is None:
            return plain
        if isinstance(field, Time):
            return self.time
        kind = type_of(field)
        if isinstance(field, Link) or kind == "field":
            return self.link
        return self._by_type(kind, str(field.help_text or ""))

    def _special(self, name: str) -> Cell | None:
        return {
            "leg_list": self.legs,
            "alarms": self.alarms,
            "changes": self.changes,
            "bonder": self.inner,
            "object": self.inner,
            "classes": qos_classes,
            "related_object_counts": counts,
            "results": self.results,
            "failed": failed,
        }.get(name)

    def _by_type(self, kind: str, unit: str) -> Cell:
        if kind == "boolean":
            return flag
        if kind == "list":
            return self.several
        if kind == "nested object":
            return self.inside
        if unit == "bit/s":
            return rate
        return plain if kind not in {"integer", "float"} else measured(unit)

    def link(self, url: Any) -> SafeString:
        if isinstance(url, Mapping):
            return self.inner(url)
        if not url:
            return NOTHING
        text = str(url)
        if text not in self._links:  # most rows of a list point at the same few objects
            words = self.names.of(text)
            self._links[text] = format_html('<a href="{}">{}</a>', site_path(text), words)
        return self._links[text]

    def inner(self, value: Any) -> SafeString:
        if not isinstance(value, Mapping):
            return plain(value)
        if not value["url"]:
            return plain(value.get("name"))
        return format_html(
            '<a href="{}">{}</a>', site_path(str(value["url"])), value.get("name", "")
        )

    def time(self, text: Any) -> SafeString:
        if not text:
            return NOTHING
        at = datetime.fromisoformat(str(text)).astimezone(self.zone)
        return format_html('<time datetime="{}">{}</time>', text, at.strftime("%Y-%m-%d %H:%M:%S"))

    def several(self, found: Any) -> SafeString:
        if not found:
            return NOTHING
        if isinstance(found[0], Mapping):
            return format_html_join(
                "", '<div class="part">{}</div>', ((self.inside(one),) for one in found[-10:])
            )
        told = format_html_join(", ", "{}", ((self._one(one),) for one in found[:MOST]))
        return format_html("{} … {} in all", told, len(found)) if len(found) > MOST else told

    def _one(self, text: object) -> SafeString:
        return self.link(text) if "/api/v3/" in str(text) else escape(text)

    def inside(self, value: Any) -> SafeString:
        """An object inside an object: name and value, one below the other."""
        if not isinstance(value, Mapping) or not value:
            return plain(value)
        return format_html(
            '<dl class="inside">{}</dl>',
            format_html_join(
                "",
                "<dt>{}</dt><dd>{}</dd>",
                (
                    (label(str(name)), INSIDE.get(str(name), self._any)(inner))
                    for name, inner in value.items()
                ),
            ),
        )

    def _any(self, value: Any) -> SafeString:
        if isinstance(value, Mapping):
            return self.inside(value)
        if isinstance(value, list):
            return self.several(value)
        if isinstance(value, str) and "/api/v3/" in value:
            return self.link(value)
        return flag(value) if isinstance(value, bool) else plain(value)

    def legs(self, found: Any) -> SafeString:
        """Which legs hurt stands before how many do not: that is what one looks for."""
        if not found:
            return format_html('<span class="nothing">{}</span>', "no legs")
        wrong = [leg for leg in found if leg["state"] not in WELL]
        hurt = format_html_join(
            "",
            '<a class="legs" href="{}">{} {}</a>',
            (
                (site_path(leg["url"]), leg["interface"] or "?", badge(leg["state"]))
                for leg in wrong
            ),
        )
        count = f"{len(found) - len(wrong)} of {len(found)} up"
        return format_html('{}<span class="count">{}</span>', hurt, count)

    def alarms(self, found: Any) -> SafeString:
        if not found:
            return NOTHING
        return format_html_join(
            "",
            '<div class="alarm">{}{}</span> {}</div>',
            (
                (_mark("red", "state-cross"), label(alarm["alarm"]), self.ago(alarm["opened"]))
                for alarm in found
            ),
        )

    def ago(self, text: str) -> SafeString:
        """How long ago a time was; the time itself is read on it."""
        at = datetime.fromisoformat(text)
        return format_html(
            '<time datetime="{}" title="{}">{}</time>',
            text,
            at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S"),
            relative(at, now=self.now),
        )

    def changes(self, found: Any) -> SafeString:
        """Before and after, one line for each value; what was and is empty says nothing."""
        told = [one for one in found if one["before"] not in EMPTY or one["after"] not in EMPTY]
        if not told:
            return NOTHING
        lines = format_html_join("", "<li>{}</li>", ((self._change(one),) for one in told[:SHORT]))
        more = f"and {len(told) - SHORT} more" if len(told) > SHORT else ""
        return format_html('<ul class="changes">{}</ul>{}', lines, more)

    def _change(self, one: Shown) -> SafeString:
        name, after = label(one["name"]), self.past(one["after"])
        if one["before"] in EMPTY:
            return format_html("{}: <ins>{}</ins>", name, after)
        return format_html("{}: <del>{}</del> <ins>{}</ins>", name, self.past(one["before"]), after)

    def past(self, value: Any) -> SafeString:
        """A value that the audit kept: objects by their names, as text."""
        if isinstance(value, str) and "/api/v3/" in value:
            return plain(self.names.of(value))
        if isinstance(value, list):
            return plain(", ".join(str(one) for one in value))
        return flag(value) if isinstance(value, bool) else plain(value)

    def results(self, found: Any) -> SafeString:
        return self.inside(found) if found else NOTHING


def badge(word: Any) -> SafeString:
    """A state: its colour, its shape and its word."""
    if word is None or word == "":
        return NOTHING
    shown = shown_state(str(word).lower())
    return format_html("{}{}</span>", _mark(shown.colour, shown.shape), shown.word)


def failed(value: Any) -> SafeString:
    return badge("failed") if value else NO


def flag(value: Any) -> SafeString:
    return YES if value else NO


def plain(value: Any) -> SafeString:
    if value is None or value == "":
        return NOTHING
    text = str(value)
    if len(text) <= LONG:
        return escape(text)
    return format_html('<span title="{}">{}…</span>', text, text[: LONG - 1])


def measured(unit: str) -> Cell:
    """Return the cell of a number with its unit, without what is said beside the unit."""
    word = unit.partition(";")[0]

    def cell(value: Any) -> SafeString:
        if value is None or value == "":
            return NOTHING
        return format_html('{}\u00a0<span class="unit">{}</span>', value, word)

    return cell if word else plain


def rate(value: Any) -> SafeString:
    """A measured rate in bit/s, as people write it."""
    if not isinstance(value, int | float):
        return NOTHING
    return format_html("{}bit/s", bits(value).replace(" ", UNBROKEN))


def measured_in_short(found: Any) -> SafeString:
    """What a speed test found: how fast, how late, and what was lost, if anything was."""
    if not isinstance(found, Mapping):
        return NOTHING
    told = [rate(found.get("throughput"))]
    if found.get("latency_average") is not None:
        told.append(INSIDE["latency_average"](found["latency_average"]))
    if found.get("packet_loss"):
        told.append(format_html("{} lost", INSIDE["packet_loss"](found["packet_loss"])))
    return format_html_join(", ", "{}", ((one,) for one in told))


def recommended_in_short(found: Any) -> SafeString:
    """What a tuning recommends: the speeds of its leg, or for how many legs it has some."""
    if not isinstance(found, Mapping):
        return NOTHING
    if "legs" in found:
        count = len(found["legs"])
        return format_html("{} leg{}, settings", count, "" if count == 1 else "s")
    down, up = (INSIDE[name](found.get(name)) for name in ("down_speed", "up_speed"))
    return format_html("{} down, {} up", down, up)


def counts(found: Any) -> SafeString:
    if not isinstance(found, Mapping):
        return NOTHING
    told = [(number, label(name)) for name, number in found.items() if number]
    return format_html_join(", ", "{} {}", told) if told else NOTHING


def qos_classes(found: Any) -> SafeString:
    if not found:
        return NOTHING
    return format_html_join(", ", "{} {} %", ((part["name"], part["bandwidth"]) for part in found))


# Of speed tests and recommendations, which the API declares as mere objects (05-performance).
INSIDE: dict[str, Cell] = {
    "throughput": rate,
    "packet_rate": measured("packets/s"),
    "latency": measured("ms"),
    "latency_average": measured("ms"),
    "latency_deviation": measured("ms"),
    "send_queue_average": measured("packets"),
    "packet_loss": measured("%"),
    "time": measured("s"),
    "down_speed": measured("Mbit/s"),
    "up_speed": measured("Mbit/s"),
    "reorder_max_hold": measured("ms"),
}
IN_ROWS: dict[str, Cell] = {
    "results": measured_in_short,
    "recommendations": recommended_in_short,
}


def label(name: str) -> str:
    """Return a field's name as people read it."""
    words = " ".join(LABELS.get(word, word) for word in name.split("_") if word)
    return WHOLE_LABELS.get(name) or words[:1].upper() + words[1:]


LABELS = {
    "ip": "IP",
    "ips": "IPs",
    "ipv6": "IPv6",
    "mtu": "MTU",
    "qos": "QoS",
    "cpu": "CPU",
    "tcp": "TCP",
    "id": "ID",
    "mac": "MAC",
    "dhcp": "DHCP",
    "crm": "CRM",
    "url": "address",
    "nat": "NAT",
    "agg": "aggregator",
    "apn": "APN",
    "imei": "IMEI",
    "wan": "WAN",
    "kbps": "kbit/s",
    "dest": "inside",
    "openvpn": "OpenVPN",
}
WHOLE_LABELS = {
    "leg_list": "Legs",
    "dest_nat_ip": "Inside address",
    "dest_nat_netmask": "Inside netmask",
    "related_object_counts": "What is in it",
    "current_aggregator": "Runs on",
    "email": "E-mail",
    "at": "When",
    "object_name": "Called",
    "down_speed": "Down",
    "up_speed": "Up",
    "download_rate": "Download",
    "upload_rate": "Upload",
    "bond_count": "Bonds",
    "bond_secondary_count": "Bonds as secondary",
    "bond_current_count": "Bonds now",
}
