"""Small pieces that every page is made of; templates/web/README.md shows each.

Texts of people go through Django's escaping; nothing here marks one of them as safe.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.http import QueryDict
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from openbond.server.spaces.viewer import Viewer
from openbond.server.web.assets import asset_url
from openbond.server.web.words import bits, bytes_of, duration, relative, shown_state

register = template.Library()

NOTHING = "\N{EN DASH}"


@register.simple_tag
def asset(name: str) -> str:
    """Return the address of a static file, under the name that holds its content."""
    return asset_url(name)


@register.simple_tag
def icon(name: str, words: str = "") -> SafeString:
    """Draw an icon of icons.svg; without `words` it is decoration, hidden from screen readers."""
    href = f"{asset_url('web/icons.svg')}#{name}"
    if words:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', words, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


@register.simple_tag
def way(name: str, query: str = "", **kwargs: object) -> str:
    """Return the address of a page, with a query; "" where there is no such page."""
    try:
        address = reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return ""
    return f"{address}?{query}" if query else address


@register.inclusion_tag("web/parts/state.html")
def state(of: object, words: str = "") -> dict[str, object]:
    """Show a state by colour, word and shape. `of`: its word, or what has `state` or `status`."""
    return {"shown": shown_state(of, words)}


@register.inclusion_tag("web/parts/counted.html")
def counted(counts: Mapping[str, int], word: str, url: str, words: str = "") -> dict[str, object]:
    """Show how many there are in a state, as a line that leads to them; none is nothing to fear."""
    number = counts.get(word, 0)
    said = words or word
    return {"shown": shown_state(word if number else "unknown", said), "number": number, "url": url}


@register.inclusion_tag("web/parts/time.html")
def since(moment: datetime | str | None, never: str = "never") -> dict[str, object]:
    """Show how long ago a time was, with the time itself to be read on it."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) and moment else moment
    if not isinstance(at, datetime):
        return {"at": None, "never": never}
    return {"at": at, "words": relative(at, now=timezone.now()), "never": never}


@register.filter
def rate(bits_per_second: int | float | None) -> str:
    """Write bit/s as people do: 12.4 Mbit/s."""
    return NOTHING if bits_per_second is None else f"{bits(bits_per_second)}bit/s"


@register.filter
def mbit(megabits: int | float | None) -> str:
    """Write a speed that is given in Mbit/s."""
    return NOTHING if megabits is None else f"{bits(megabits * 1_000_000)}bit/s"


@register.filter
def add_number(text: str, number: int) -> str:
    """Put a number behind a text."""
    return f"{text}{number}"


@register.filter
def in_words(name: str) -> str:
    """Write the name of a field as people say it."""
    return name.replace("_", " ").capitalize()


@register.filter
def kilobits(number: int | None) -> str:
    """Write a speed that is given in kbit/s."""
    return NOTHING if number is None else f"{bits(number * 1000)}bit/s"


@register.filter
def milliseconds(microseconds: int | None) -> str:
    return NOTHING if microseconds is None else f"{microseconds / 1000:.3g} ms"


@register.filter
def tenths(number: int) -> str:
    """Write per mille as percent, or tenths of a percent."""
    return f"{number / 10:g}"


@register.filter
def may(viewer: Viewer, code: str) -> bool:
    """Report whether somebody holds a permission code."""
    return viewer.can(code)


@register.filter
def size(number: int | None) -> str:
    """Write bytes as people do: 3.1 MB."""
    return NOTHING if number is None else bytes_of(number)


@register.filter
def length_of_time(value: timedelta | int) -> str:
    """Write a length of time as people do: 2 h 5 min."""
    return duration(int(value.total_seconds()) if isinstance(value, timedelta) else value)


@register.filter
def count_of(counts: Mapping[str, int], word: str) -> int:
    """Return how many there are of a word; 0 where it does not occur."""
    return counts.get(word, 0)


@register.filter
def or_dash(value: object) -> object:
    """Show a dash where there is nothing."""
    return NOTHING if value is None or value == "" or value == [] else value


@register.inclusion_tag("web/parts/field.html")
def field(
    name: str,
    label: str,
    value: object = "",
    *,
    errors: Mapping[str, Any] | None = None,
    kind: str = "text",
    choices: object = (),
    help: str = "",
    required: bool = False,
    autocomplete: str = "",
    unit: str = "",
    **more: object,
) -> dict[str, object]:
    """Show one field of a form, with its own errors beside it.

    `errors`: field name → messages, as errors.InvalidFields and the API's bodies have them.
    `kind`: an input's type, or textarea, select, checkbox. `choices`: pairs of value and words.
    """
    found = (errors or {}).get(name, [])
    return {
        "name": name,
        "label": label,
        "value": "" if value is None else value,
        "errors": [found] if isinstance(found, str) else list(found),
        "kind": kind,
        "choices": [(str(key), words) for key, words in choices],  # type: ignore[attr-defined]
        "chosen": _chosen(value),
        "help": help,
        "required": required,
        "autocomplete": autocomplete,
        "unit": unit,
        "more": more,
    }


@register.inclusion_tag("web/parts/empty.html")
def empty(
    title: str, words: str = "", *, url: str = "", action: str = "", icon: str = "empty"
) -> dict[str, object]:
    """Say that there is nothing yet, and what to do next."""
    return {"title": title, "words": words, "url": url, "action": action, "icon": icon}


@register.inclusion_tag("web/parts/pages.html", takes_context=True)
def pages(context: Mapping[str, Any], number: int, size: int, count: int) -> dict[str, object]:
    """Show where in a list of `count` this page is, and the way to its neighbours."""
    query: QueryDict = context["request"].GET.copy()
    last = max(1, -(-count // size))

    def address(page: int) -> str:
        query["page"] = str(page)
        return f"?{query.urlencode()}"

    return {
        "first_row": min(count, (number - 1) * size + 1),
        "last_row": min(count, number * size),
        "count": count,
        "number": number,
        "last": last,
        "previous": address(number - 1) if number > 1 else "",
        "next": address(number + 1) if number < last else "",
    }


@register.inclusion_tag("web/parts/confirm.html", takes_context=True)
def confirm(
    context: Mapping[str, Any],
    action: str,
    label: str,
    title: str,
    words: str = "",
    *,
    also: object = (),
    danger: bool = True,
    icon: str = "",
    small: bool = False,
    version: str = "",
) -> dict[str, object]:
    """A button that asks first, in a dialogue, and then posts to `action`.

    `also`: lines that say what else goes with it. `version`: sent as `version`, so that the view
    can refuse what was changed meanwhile.
    """
    return {
        "csrf_token": context.get("csrf_token"),
        "action": action,
        "label": label,
        "title": title,
        "words": words,
        "also": list(also),  # type: ignore[call-overload]
        "danger": danger,
        "icon": icon,
        "small": small,
        "version": version,
    }


def _chosen(value: object) -> list[str]:
    if isinstance(value, list | tuple | set | frozenset):
        return [str(each) for each in value]
    return [str(value)]
