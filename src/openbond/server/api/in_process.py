"""The API asked within the process, by the site: the same checks and words, no HTTP between.

A resource is opened for somebody who has signed in already; then its handlers answer as they
would a request, and what they refuse comes back as the refusal that a client would read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from django.db import OperationalError
from django.http import Http404, HttpRequest, QueryDict
from django.urls import Resolver404, URLPattern, URLResolver
from django.urls.resolvers import RegexPattern
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from openbond.server.errors import WHOLE, DomainError
from openbond.server.spaces.viewer import Viewer

from .errors import exception_handler
from .links import API_V3, Links
from .resource import Collection, Resource, again_if_gone
from .v3.urls import urlpatterns
from .view import Door

D = TypeVar("D", bound=Door)
Handlers = Mapping[str, str]

REFUSALS = (DomainError, APIException, Http404, OperationalError)
ITEMS = ("<id:pk>/", "<space:pk>/")
RESOLVER = URLResolver(RegexPattern(r"^"), list(urlpatterns))


@dataclass(frozen=True, slots=True)
class Place:
    """A collection of the API: its view, and the handlers of the list and of one object."""

    view: type[Collection[Any]]
    of_list: Handlers
    of_object: Handlers = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answered: the status, the body, the ETag of an object."""

    status: int
    data: Any
    etag: str = ""

    @property
    def is_good(self) -> bool:
        return self.status < 400

    @property
    def code(self) -> str:
        """The code of a refusal; "" of an answer and of faults by field."""
        return str(self._member("code"))

    @property
    def words(self) -> str:
        """Why it was refused, in one line."""
        return str(self._member("detail")) or " ".join(
            f"{name}: {text}" if name != WHOLE else text
            for name, texts in self.faults.items()
            for text in texts
        )

    @property
    def faults(self) -> dict[str, list[str]]:
        """What is wrong with each field; nested fields as `outer.inner`."""
        if self.status != 400 or self.code:
            return {}
        return dict(_flat("", self.data))

    def _member(self, name: str) -> object:
        is_refusal = self.status >= 400 and isinstance(self.data, Mapping) and "code" in self.data
        return self.data.get(name, "") if is_refusal else ""


def place_of(route: str) -> Place:
    """Return the collection at `route`, as v3/urls.py writes it. Raises KeyError."""
    patterns = _patterns()
    items = (patterns[route + item] for item in ITEMS if route + item in patterns)
    found = next(items, None)
    # Django hangs the class and the handlers of a view set on its function.
    listed: Any = patterns[route].callback
    return Place(
        view=listed.cls,
        of_list=listed.actions,
        of_object={} if found is None else vars(found.callback)["actions"],
    )


def actions_of(route: str) -> list[str]:
    """Return the names of what may be asked of an object of the collection at `route`."""
    words = (
        name.removeprefix(route + item)
        for name, pattern in _patterns().items()
        for item in ITEMS
        if name.startswith(route + item) and vars(pattern.callback)["actions"].get("post")
    )
    return [word.rstrip("/") for word in words if word.count("/") == 1]


def path_of(url: str) -> tuple[str, dict[str, Any]]:
    """Return the route of an object's address in v3/urls.py, and its ids. Raises Http404."""
    _, _, below = url.partition(API_V3)
    try:
        match = RESOLVER.resolve(below)
    except Resolver404 as fault:
        raise Http404 from fault
    return match.route, match.kwargs


def opened(
    view: type[D],
    viewer: Viewer,
    *,
    handlers: Handlers | None = None,
    path: Mapping[str, object] | None = None,
    query: QueryDict | None = None,
    sent: Mapping[str, object] | None = None,
    if_match: str = "",
) -> D:
    """Return a view that answers `viewer`: `path` are the ids of its address, `sent` the body."""
    plain = HttpRequest()
    plain.method = "GET"
    plain.META = {"REMOTE_ADDR": viewer.origin}
    if if_match:
        plain.META["HTTP_IF_MATCH"] = if_match
    plain.GET = QueryDict("") if query is None else query  # type: ignore[assignment]  # both are immutable
    door = view()
    door.request = Request(plain)
    door.args, door.kwargs = (), dict(path or {})
    door.action_map = dict(handlers or {})
    door.viewer, door.links = viewer, Links()
    door.take(sent or {})
    return door


def answer_of(door: Door, handler: str) -> Answer:
    """Call a handler of an opened view, with the checks that come before it."""
    try:
        door.check_permission(handler)
        response = getattr(door, handler)(door.request, **door.kwargs)
    except REFUSALS as refusal:
        return _refused(refusal)
    return Answer(response.status_code, response.data, response.headers.get("ETag", ""))


def id_of_new(door: Resource[Any]) -> int | Answer:
    """Make an object as POST does, and return its id alone, or the refusal.

    Showing an object again takes as long as making it: for those who make hundreds.
    """
    try:
        door.check_permission("create")
        door.rows()
        made: int = again_if_gone(lambda: door.make(door.taken())).pk
    except REFUSALS as refusal:
        return _refused(refusal)
    return made


def _refused(refusal: Exception) -> Answer:
    response = exception_handler(refusal, {})
    return Answer(response.status_code, response.data)


@cache
def _patterns() -> dict[str, URLPattern]:
    return {str(pattern.pattern): pattern for pattern in urlpatterns}


def _flat(name: str, found: object) -> Iterator[tuple[str, list[str]]]:
    if isinstance(found, Mapping):
        for inner, value in found.items():
            yield from _flat(f"{name}.{inner}" if name else str(inner), value)
    elif isinstance(found, list):
        yield name, [str(text) for text in found]
