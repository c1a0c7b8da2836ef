"""Lists of things that are computed and not stored: the same arguments as stored lists take."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .lists import NUL, BadValue, Filter, fields_left_out, page_asked_for
from .view import Door

Shown = dict[str, Any]


class Array(Door):
    """A list whose elements `elements` computes."""

    # Query argument and key of the element → how the text of its value is read.
    filters: ClassVar[Mapping[str, Filter]] = {}
    search: ClassVar[Sequence[str]] = ()
    ordering: ClassVar[Sequence[str]] = ()

    def elements(self) -> list[Shown]:
        raise NotImplementedError

    def list_all(self, request: Request, **path: object) -> Response:
        page = page_asked_for(request.query_params)
        elements = self._asked_for(request.query_params)
        left_out = fields_left_out(request.query_params)
        if page is None:
            return Response([_without(element, left_out) for element in elements])
        part = [_without(element, left_out) for element in elements[page.of(len(elements))]]
        url = request.build_absolute_uri()
        return Response(page.body(part, count=len(elements), url=url))

    def _asked_for(self, query: QueryDict) -> list[Shown]:
        wanted = self._wanted(query)
        words = self._words(query)
        kept = [
            element
            for element in self.elements()
            if all(element[name] == value for name, value in wanted.items())
            and all(self._occurs(word, element) for word in words)
        ]
        return self._ordered(kept, query)

    def _wanted(self, query: QueryDict) -> dict[str, object]:
        wanted, faults = {}, {}
        for name, rule in self.filters.items():
            text = query.get(name, "").strip()
            if not text:
                continue
            try:
                wanted[name] = rule.read(text)
            except BadValue as fault:
                faults[name] = [str(fault)]
        if faults:
            raise ValidationError(faults)
        return wanted

    def _words(self, query: QueryDict) -> list[str]:
        text = query.get("search", "")
        if "\0" in text:
            raise ValidationError({"search": [NUL]})
        return text.casefold().split() if self.search else []

    def _occurs(self, word: str, element: Shown) -> bool:
        return any(word in str(element[name]).casefold() for name in self.search)

    def _ordered(self, elements: list[Shown], query: QueryDict) -> list[Shown]:
        # Sorting is stable, so the last term is applied first and ties keep their order.
        for term in reversed(query.get("ordering", "").split(",")):
            name = term.strip().removeprefix("-")
            if name in self.ordering:
                descending = term.strip().startswith("-")
                elements = sorted(elements, key=_sort_key(name), reverse=descending)
        return elements


def _sort_key(name: str) -> Callable[[Shown], tuple[bool, Any]]:
    def key(element: Shown) -> tuple[bool, Any]:
        value = element[name]
        return value is None, value.casefold() if isinstance(value, str) else value

    return key


def _without(element: Shown, left_out: set[str]) -> Shown:
    return {name: value for name, value in element.items() if name not in left_out}
