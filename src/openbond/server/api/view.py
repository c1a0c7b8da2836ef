"""One address of the API: runs the checks of 00-general.md, 9 in their order before a handler."""

import io
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import ClassVar, TypeVar

from django.http import HttpRequest, QueryDict
from django.utils import timezone
from rest_framework.exceptions import (
    MethodNotAllowed,
    NotAuthenticated,
    UnsupportedMediaType,
)
from rest_framework.parsers import DataAndFiles, FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from openbond.server.errors import Forbidden, RootSpaceOnly
from openbond.server.spaces.models import User
from openbond.server.spaces.selectors import viewer_for
from openbond.server.spaces.viewer import Viewer
from openbond.server.system.models import Settings
from openbond.server.system.selectors import current_settings, node_status_timeout

from .authentication import Credentials, Login, Way, check_csrf
from .errors import exception_handler
from .fields import JsonValue
from .links import Links, links_for
from .negotiation import JsonOnly
from .parsers import MAX_BODY_BYTES, StrictJson, read_limited
from .refusals import TokenReadOnly, TooLarge
from .renderer import OneLineJson
from .schema import OBJECT, ContractSchema

D = TypeVar("D", bound="Door")

READING = {"GET", "HEAD", "OPTIONS"}


class Door(ViewSetMixin, APIView):
    """What every URI of the API has in common. Handlers are named in `v3/urls.py`."""

    authentication_classes = [Credentials]
    permission_classes = []
    renderer_classes = [OneLineJson]
    parser_classes = [StrictJson, FormParser, MultiPartParser]
    content_negotiation_class = JsonOnly
    http_method_names = [
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
    ]

    schema = ContractSchema()
    # What OpenAPI says of an answer that no body describes.
    answers: ClassVar[dict[str, object]] = OBJECT

    # Handler → permission code that it needs; a handler that is absent needs none.
    codes: ClassVar[Mapping[str, str]] = {}
    # Handlers reserved to users whose home space is the root.
    root_only: ClassVar[frozenset[str]] = frozenset()

    def get_exception_handler(self) -> Callable[[Exception, Mapping[str, object]], Response]:
        return exception_handler

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        self.format_kwarg = None
        self.viewer = viewer_of(request)
        if not hasattr(self, (request.method or "").lower()):
            raise MethodNotAllowed(request.method or "")
        self.negotiate(request)
        self.links: Links = links_for(request)
        if request.method not in READING:
            _check_way(request, self.viewer)
        if request.method != "OPTIONS":
            self.check_permission(self.action)

    @cached_property
    def now(self) -> datetime:
        """The time of the request: every part of one answer is of the same moment."""
        return timezone.now()

    @cached_property
    def settings_row(self) -> Settings:
        return current_settings()

    @cached_property
    def status_timeout(self) -> int:
        """Seconds of silence after which a node is down and its reports count as unknown."""
        return node_status_timeout()

    @cached_property
    def fresh_since(self) -> datetime:
        """The time since when a report still counts."""
        return self.now - timedelta(seconds=self.status_timeout)

    def check_in_sight(self) -> None:
        """Raise Http404 if the viewer cannot see what the URI names."""

    def writes_offered(self) -> dict[str, object]:
        """Return the fields of POST and PUT, each if there is one and the caller may use it."""
        return {}

    def options(self, request: HttpRequest, *args: object, **kwargs: object) -> Response:
        self.check_in_sight()
        described: dict[str, object] = {
            "name": self.get_view_name(),
            "description": self.get_view_description(),
            "renders": [renderer.media_type for renderer in self.renderer_classes],
            "parses": [parser.media_type for parser in self.parser_classes],
        }
        actions = {} if self.viewer.read_only else self.writes_offered()
        return Response(described | {"actions": actions} if actions else described)

    def negotiate(self, request: Request) -> None:
        renderer, media_type = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = renderer, media_type

    def may_call(self, handler: str) -> bool:
        """Report whether the caller has what this handler needs."""
        code = self.codes.get(handler)
        is_open = handler not in self.root_only or self.viewer.is_root
        return is_open and (code is None or self.viewer.can(code))

    def sent(self) -> Mapping[str, JsonValue] | QueryDict:
        """Return the body of the request: an object, or the fields of a form."""
        return self._sent

    def take(self, sent: Mapping[str, JsonValue]) -> None:
        """Answer as if `sent` had come as the body."""
        vars(self)["_sent"] = sent

    @cached_property
    def _sent(self) -> Mapping[str, JsonValue] | QueryDict:
        request = self.request
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
            raise TooLarge
        raw = read_limited(request._request)
        if not raw:
            return {}
        parser = self.get_content_negotiator().select_parser(request, self.get_parsers())
        if parser is None:
            raise UnsupportedMediaType(request.content_type or "none")
        request.META["CONTENT_LENGTH"] = str(len(raw))
        parsed = parser.parse(io.BytesIO(raw), request.content_type, {"request": request})
        # A multipart body may carry files as well; nobody asked for one.
        return parsed.data if isinstance(parsed, DataAndFiles) else parsed

    def lent_to(self, view: type[D]) -> D:
        """Return another view that answers within this request, to show what it shows."""
        other = view()
        other.request, other.kwargs = self.request, {}
        other.viewer, other.links, other.now = self.viewer, self.links, self.now
        return other

    def queued(self, detail: str, **more: object) -> Response:
        """Answer an action that was queued; it is not done yet."""
        return Response({"status": "queued", "detail": detail, **more}, status=202)

    def check_permission(self, handler: str | None) -> None:
        """Raises Forbidden, or RootSpaceOnly, if the caller may not use a handler."""
        if handler is None or self.may_call(handler):
            return
        code = self.codes.get(handler)
        lacks_code = code is not None and not self.viewer.can(code)
        if lacks_code or handler not in self.root_only:
            raise Forbidden
        raise RootSpaceOnly


def viewer_of(request: Request) -> Viewer:
    """Return who asks. Selectors take a viewer, so no query runs for nobody."""
    user, login = request.user, request.auth
    if not isinstance(user, User) or not isinstance(login, Login):
        raise NotAuthenticated
    origin = request.META.get("REMOTE_ADDR", "")
    return viewer_for(user, read_only=login.is_read_only, origin=origin)


def _check_way(request: Request, viewer: Viewer) -> None:
    if isinstance(request.auth, Login) and request.auth.way is Way.SESSION:
        check_csrf(request)
    if viewer.read_only:
        raise TokenReadOnly
