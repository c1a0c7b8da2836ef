"""Stored objects over HTTP: lists, objects, and the four writes (00-general.md, 5 and 7)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.errors import Forbidden, Vanished
from openbond.server.system.constraints import is_about_a_missing_row
from openbond.server.system.locks import hold

from .body import Body, checked
from .etags import check_precondition, etag_of
from .lists import Derived, Listing, fields_left_out, page_asked_for
from .options import describe_fields
from .renderer import encode
from .view import Door

M = TypeVar("M", bound=Model)
T = TypeVar("T")
Shown = dict[str, Any]

# A bare list is read and encoded in parts, so that 10,000 objects never stand in memory at once
# as dictionaries; up to one part a list costs the same number of queries whatever its length.
PART = 1000


def codes_for(noun: str, **exceptions: str) -> dict[str, str]:
    """Return the usual codes of a resource's handlers: view, add, change and delete."""
    return {
        "list_all": f"view_{noun}",
        "retrieve": f"view_{noun}",
        "create": f"add_{noun}",
        "replace": f"change_{noun}",
        "change": f"change_{noun}",
        "remove": f"delete_{noun}",
        **exceptions,
    }


class Collection(Door, Generic[M]):
    """A list of objects that are only read: `rows` says which, `present` how they look."""

    listing: ClassVar[Listing] = Listing()
    body: ClassVar[type[Body]]

    def rows(self) -> QuerySet[M]:
        """Return what the viewer may see here. Raises Http404 if a parent is not there."""
        raise NotImplementedError

    def derived(self) -> Derived:
        """Return what lists are filtered and sorted by although no column holds it."""
        return {}

    def present(self, rows: QuerySet[M]) -> list[Shown]:
        """Return the objects as the contract shows them, in the order of `rows`."""
        raise NotImplementedError

    def list_all(self, request: Request, **path: object) -> Response:
        reach = self.rows()
        page = page_asked_for(request.query_params)
        rows = self.listing.narrow(reach, request.query_params, self.derived)
        if page is None:
            return Response(msgspec.Raw(b"[" + b",".join(self._encoded(rows)) + b"]"))
        count = rows.count()
        shown = self._without_excluded(self.present(rows[page.of(count)]))
        return Response(page.body(shown, count=count, url=self._own_url()))

    def check_in_sight(self) -> None:
        self.rows()

    def writes_offered(self) -> dict[str, object]:
        if self.action_map.get("post") != "create" or not self.may_call("create"):
            return {}
        return {"POST": describe_fields(self.body())}

    def _encoded(self, rows: QuerySet[M]) -> Iterator[bytes]:
        keys = list(rows.values_list("pk", flat=True))
        for start in range(0, len(keys), PART):
            part = rows.filter(pk__in=keys[start : start + PART])
            for shown in self._without_excluded(self.present(part)):
                yield encode(shown)

    def _without_excluded(self, shown: list[Shown]) -> list[Shown]:
        left_out = fields_left_out(self.request.query_params)
        if not left_out:
            return shown
        return [
            {name: value for name, value in each.items() if name not in left_out} for each in shown
        ]

    def _own_url(self) -> str:
        return self.request.build_absolute_uri()


class ReadOnlyResource(Collection[M]):
    """Stored objects with an address each."""

    def hidden(self, row: M) -> Mapping[str, object]:
        """Return writable values that `present` may leave out; the ETag covers them too."""
        return {}

    def retrieve(self, request: Request, **path: object) -> Response:
        return self.answer_with(self.find())

    def find(self, pk: object = None) -> M:
        """Return the object of the path (or `pk`). Raises Http404 outside the viewer's reach."""
        row = self.rows().filter(pk=self.kwargs["pk"] if pk is None else pk).first()
        if row is None:
            raise Http404
        return row

    def check_in_sight(self) -> None:
        if "pk" in self.kwargs:
            self.find()
        else:
            self.rows()

    def shown(self, row: M) -> Shown:
        shown = self.present(self.rows().filter(pk=row.pk))
        if not shown:
            raise Http404
        return shown[0]

    def answer_with(self, row: M, *, status: int = 200) -> Response:
        shown = self.shown(row)
        headers = {"ETag": self.etag(row, shown)}
        if status == 201:
            headers["Location"] = shown["url"]
        return Response(self._without_excluded([shown])[0], status=status, headers=headers)

    def etag(self, row: M, shown: Shown) -> str:
        """Return the ETag over what may be written, whatever host name the client used."""
        fields = self.body().fields.items()
        writable = {name: shown.get(name) for name, field in fields if not field.read_only}
        return etag_of(writable | dict(self.hidden(row)), root=self.links.root)


class Resource(ReadOnlyResource[M]):
    """Stored objects that are written: `make`, `alter` and `discard` call services."""

    credentials_code: ClassVar[str | None] = None

    def make(self, given: dict[str, Any]) -> M:
        raise NotImplementedError

    def alter(self, row: M, given: dict[str, Any]) -> None:
        raise NotImplementedError

    def discard(self, row: M) -> None:
        raise NotImplementedError

    def check_writable(self, row: M) -> None:
        """Raise Forbidden if the viewer may read this very object but not write it."""

    def writes_offered(self) -> dict[str, object]:
        offered = super().writes_offered()
        if self.action_map.get("put") != "replace" or not self.may_call("replace"):
            return offered
        row = self.find()
        try:
            self.check_writable(row)
        except Forbidden:
            return offered
        return offered | {"PUT": describe_fields(self.body(instance=row))}

    def create(self, request: Request, **path: object) -> Response:
        self.rows()
        row = again_if_gone(lambda: self.make(self.taken()))
        return self.answer_with(self.find(row.pk), status=201)

    def replace(self, request: Request, **path: object) -> Response:
        return self._write(partial=False)

    def change(self, request: Request, **path: object) -> Response:
        return self._write(partial=True)

    def remove(self, request: Request, **path: object) -> Response:
        again_if_gone(self._discard_held)
        return Response(status=204)

    def taken(self, row: M | None = None, *, partial: bool = False) -> dict[str, Any]:
        """Return the validated fields of the body."""
        context = {"viewer": self.viewer, "view": self, "row": row}
        body = self.body(instance=row, data=self.sent(), partial=partial, context=context)
        may_write_secrets = self.credentials_code is None or self.viewer.can(self.credentials_code)
        is_compared = body.fixed or (body.secret and not may_write_secrets)
        shown = self.shown(row) if row is not None and is_compared else None
        return checked(body, shown, may_write_secrets=may_write_secrets)

    def in_own_space(self, given: dict[str, Any], row: M | None = None) -> dict[str, Any]:
        """Put a new object without `space` into the caller's home space (00-general.md, 11.5)."""
        if given.get("space") is not None:
            return given
        rest = {name: value for name, value in given.items() if name != "space"}
        return rest if row is not None else rest | {"space": self.viewer.user.space}

    def _write(self, *, partial: bool) -> Response:
        row = again_if_gone(lambda: self._alter_held(partial=partial))
        return self.answer_with(self.find(row.pk))

    def _alter_held(self, *, partial: bool) -> M:
        with self._held() as row:
            self.alter(row, self.taken(row, partial=partial))
        return row

    def _discard_held(self) -> None:
        with self._held() as row:
            self.discard(row)

    @contextmanager
    def _held(self) -> Iterator[M]:
        """The object of the path for a write; locked if the client says which state it knows."""
        row = self.find()
        self.check_writable(row)
        if "If-Match" not in self.request.headers:
            yield row
            return
        with transaction.atomic():
            hold(row)
            row = self.find()
            check_precondition(self.request, self.etag(row, self.shown(row)))
            yield row


def again_if_gone(write: Callable[[], T]) -> T:
    """Run a write; a second time if a row that it names was deleted meanwhile.

    The second time validation sees what is there now, and says which field is wrong; if that finds
    nothing, what is gone stands in the path.
    """
    with suppress(Vanished):
        return _refusing_missing_rows(write)
    return _refusing_missing_rows(write)


def _refusing_missing_rows(write: Callable[[], T]) -> T:
    # Foreign keys are checked at the end of a transaction, long after validation.
    try:
        return write()
    except IntegrityError as error:
        if not is_about_a_missing_row(error):
            raise
        raise Vanished from error
