"""Filters, search, order and pages of a list (00-general.md, 5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TypeVar

from django.db.models import Expression, F, Model, OrderBy, Q, QuerySet
from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.utils.urls import remove_query_param, replace_query_param

from openbond.server.system.folded import Folded

from .fields import FALSE, TRUE
from .refusals import InvalidPage
from .relations import Address

M = TypeVar("M", bound=Model)

PAGE_SIZE = 25
MAX_DIGITS = 18
NUL = "Null characters are not allowed."
# A database refuses patterns and conditions beyond some size; no field holds so long a word.
MAX_WORDS = 100
MAX_WORD = 4000
TOO_MANY_WORDS = f"Search for at most {MAX_WORDS} words."
NOTHING = Q(pk__in=[])
NOT_AN_OBJECT = "Give an id or a URL of the object."


# What a query argument may be, as OpenAPI tells it; null is a value of every filter.
Form = Mapping[str, object]
WORDS: Form = {"type": "string", "pattern": r"^[^\x00]*$"}
COUNTED: Form = {"type": "integer", "minimum": 1}
WHOLE: Form = {"type": "integer", "minimum": 1 - 10**MAX_DIGITS, "maximum": 10**MAX_DIGITS - 1}
FLAG: Form = {"type": "string", "enum": ["true", "false", "1", "0"]}
ADDRESS: Form = {"anyOf": [{"type": "string", "format": form} for form in ("ipv4", "ipv6")]}
NETWORK: Form = {"type": "string", "format": "cidr"}


class BadValue(Exception):
    """A query argument that cannot be read; the message goes to the client."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`?name=value`: the lookup it becomes, and how the text of the value is read."""

    lookup: str
    read: Callable[[str], object]
    # A word in a text column may be "null" itself; everywhere else `null` asks for no value.
    is_text: bool = False
    form: Form = field(default_factory=lambda: WORDS)
    # Of a relation: where the objects live that it names.
    path: str = ""

    def condition(self, text: str) -> Q:
        if text == "null" and not self.is_text:
            return Q(**{f"{self.lookup}__isnull": True})
        value = self.read(text)
        return value if isinstance(value, Q) else Q(**{self.lookup: value})


@dataclass(frozen=True, slots=True)
class Order:
    """`?ordering=name`: the columns or expressions that sort by it; text ignores case."""

    columns: tuple[str | Expression, ...]
    ignores_case: bool = False
    is_nullable: bool = False

    def terms(self, *, descending: bool) -> list[OrderBy]:
        # Null sorts last ascending and first descending; databases differ where it is not said.
        nulls = True if self.is_nullable else None
        parts = [Folded(column) if self.ignores_case else _part(column) for column in self.columns]
        if descending:
            return [part.desc(nulls_first=nulls) for part in parts]
        return [part.asc(nulls_last=nulls) for part in parts]


# Values that rows do not hold but that lists are filtered or sorted by: name → expression. They
# cost more than a column, so they are made only for a client who names one.
Derived = Mapping[str, Expression | F]


@dataclass(frozen=True, slots=True)
class Listing:
    """What the contract lets a client ask of one resource's list."""

    filters: Mapping[str, Filter] = field(default_factory=dict)
    search: Sequence[str] = ()
    ordering: Mapping[str, Order] = field(default_factory=dict)

    def narrow(
        self, rows: QuerySet[M], query: QueryDict, derived: Callable[[], Derived]
    ) -> QuerySet[M]:
        """Return the rows the client asks for, in the order asked for; ties by id."""
        conditions = [*self._filtered(query), *self._searched(query)]
        terms = self._ordered(query)
        used = self._names_used(query)
        if used:
            named = {name: value for name, value in derived().items() if name in used}
            rows = rows.alias(**named)
        return rows.filter(*conditions).order_by(*terms, F("pk").asc())

    def _filtered(self, query: QueryDict) -> list[Q]:
        wanted, faults = [], {}
        for name, rule in self._filters_used(query):
            try:
                wanted.append(rule.condition(_clean(query.get(name, "").strip())))
            except BadValue as fault:
                faults[name] = [str(fault)]
        if faults:
            raise ValidationError(faults)
        return wanted

    def _searched(self, query: QueryDict) -> list[Q]:
        text = query.get("search", "")
        if "\0" in text:
            raise ValidationError({"search": [NUL]})
        words = list(dict.fromkeys(text.split()))
        if len(words) > MAX_WORDS:
            raise ValidationError({"search": [TOO_MANY_WORDS]})
        return [self._occurs(word) for word in words] if self.search else []

    def _occurs(self, word: str) -> Q:
        if len(word) > MAX_WORD:
            return NOTHING
        # LIKE ignores the case of ASCII letters on every database, and costs less.
        lookup, part = ("icontains", word) if word.isascii() else ("folded__contains", word.lower())
        anywhere = Q()
        for column in self.search:
            anywhere |= Q(**{f"{column}__{lookup}": part})
        return anywhere

    def _ordered(self, query: QueryDict) -> list[OrderBy]:
        return [
            term
            for name, rule in self._orders_used(query)
            for term in rule.terms(descending=name.startswith("-"))
        ]

    def _filters_used(self, query: QueryDict) -> list[tuple[str, Filter]]:
        return [(name, rule) for name, rule in self.filters.items() if query.get(name, "").strip()]

    def _orders_used(self, query: QueryDict) -> list[tuple[str, Order]]:
        found: dict[str, str] = {}
        for name in query.get("ordering", "").split(","):
            # A name that comes again orders nothing that is not in order already.
            found.setdefault(name.strip().removeprefix("-"), name.strip())
        return [
            (name, self.ordering[bare]) for bare, name in found.items() if bare in self.ordering
        ]

    def _names_used(self, query: QueryDict) -> set[str]:
        names = {rule.lookup for _, rule in self._filters_used(query)}
        for _, order in self._orders_used(query):
            names |= {column for column in order.columns if isinstance(column, str)}
        return names | (set(self.search) if query.get("search") else set())


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of which size a client asks for."""

    number: int
    size: int

    def of(self, count: int) -> slice:
        """Return the rows of this page. Raises InvalidPage past the end."""
        start = (self.number - 1) * self.size
        if self.number > 1 and start >= count:
            raise InvalidPage
        return slice(start, min(start + self.size, count))

    def body(self, results: object, *, count: int, url: str) -> dict[str, object]:
        """Return the paginated body; `url` is the absolute address of this very request."""
        after = self.number * self.size < count
        return {
            "count": count,
            "next": replace_query_param(url, "page", self.number + 1) if after else None,
            "previous": self._previous(url),
            "results": results,
        }

    def _previous(self, url: str) -> str | None:
        if self.number == 1:
            return None
        if self.number == 2:
            return str(remove_query_param(url, "page"))
        return str(replace_query_param(url, "page", self.number - 1))


def page_asked_for(query: QueryDict) -> Page | None:
    """Return the page, or None if the whole list is wanted. Raises InvalidPage."""
    number, size = query.get("page", "").strip(), query.get("page_size", "").strip()
    if not number and not size:
        return None
    return Page(_page_number(number or "1"), _page_size(size) if size else PAGE_SIZE)


def fields_left_out(query: QueryDict) -> set[str]:
    """Return the top-level fields that `exclude_fields` names."""
    given = query.getlist("exclude_fields")
    return {name.strip() for text in given for name in text.split(",")}


def text(lookup: str) -> Filter:
    return Filter(lookup, str, is_text=True)


def nullable_text(lookup: str) -> Filter:
    return Filter(lookup, str)


def flag(lookup: str) -> Filter:
    return Filter(lookup, _read_flag, form=FLAG)


def whole(lookup: str) -> Filter:
    return Filter(lookup, _read_whole, form=WHOLE)


def choice(lookup: str, words: Sequence[str], meaning: Callable[[str], object] = str) -> Filter:
    """A filter by one of `words`; `meaning` makes the condition of it where it is no column."""

    def read(word: str) -> object:
        if word not in words:
            raise BadValue(f'"{word}" is not a valid choice.')
        return meaning(word)

    return Filter(lookup, read, form={"type": "string", "enum": list(words)})


def relation(lookup: str, path: str, *, key: str | None = None) -> Filter:
    """A filter by an object of `path`, by id or URL; by its key too, where it has one."""
    address = Address(path, keyed=key is not None)

    def read(given: str) -> object:
        named = address.named_by(given)
        if named is None:
            raise BadValue(NOT_AN_OBJECT)
        return named if isinstance(named, int) else Q(**{f"{lookup}__{key}__iexact": named})

    form = form_of_relation(path, keyed=key is not None)
    return Filter(lookup, read, form=form, path=path)


def form_of_relation(path: str, *, keyed: bool) -> Form:
    number = rf"[1-9][0-9]{{0,{MAX_DIGITS - 1}}}"
    words = f"{number}|[A-Za-z][A-Za-z0-9_-]{{0,62}}" if keyed else number
    url = rf"(https?://[A-Za-z0-9.-]{{1,80}})?/api/v3/{path}/{number}/"
    return {"type": "string", "pattern": f"^({words}|{url})$"}


def space(lookup: str = "space") -> Filter:
    return relation(lookup, "spaces", key="key")


def address(lookup: str) -> Filter:
    return Filter(lookup, _read_address, form=ADDRESS)


def network(lookup: str) -> Filter:
    return Filter(lookup, _read_network, form=NETWORK)


def by(*expressions: str | Expression, nullable: bool = False) -> Order:
    return Order(expressions, is_nullable=nullable)


def by_text(column: str | Expression, *, nullable: bool = False) -> Order:
    return Order((column,), ignores_case=True, is_nullable=nullable)


def _part(column: str | Expression) -> F | Expression:
    return F(column) if isinstance(column, str) else column


def _clean(given: str) -> str:
    if "\0" in given:
        raise BadValue(NUL)
    return given


def _read_flag(given: str) -> bool:
    if given.lower() in TRUE:
        return True
    if given.lower() in FALSE:
        return False
    raise BadValue("Must be a valid boolean.")


def _read_whole(given: str) -> int:
    digits = given.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS):
        raise BadValue("A valid integer is required.")
    return int(given)


def _read_address(given: str) -> str:
    try:
        return str(ip_address(given))
    except ValueError:
        raise BadValue("Enter a valid IP address.") from None


def _read_network(given: str) -> str:
    try:
        return str(ip_network(given))
    except ValueError:
        raise BadValue("Enter a network as address/prefix.") from None


def _page_number(given: str) -> int:
    if not (given.isascii() and given.isdigit()) or len(given) > MAX_DIGITS or int(given) < 1:
        raise InvalidPage
    return int(given)


def _page_size(given: str) -> int:
    fault = {"page_size": ["A whole number of at least 1 is required."]}
    if not (given.isascii() and given.isdigit()) or int(given[:MAX_DIGITS]) < 1:
        raise ValidationError(fault)
    # There is no maximum; a number no list can reach is as good as any other.
    return int(given) if len(given) <= MAX_DIGITS else 10**MAX_DIGITS
