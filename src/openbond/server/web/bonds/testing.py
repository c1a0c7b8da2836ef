"""Starts speed tests and tunings of a bond, with the checks and words of the API."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict

from openbond.server.api.in_process import Answer, answer_of, opened, place_of
from openbond.server.bonds.models import Bond
from openbond.server.bonds.selectors import bonds_visible_to, legs_visible_to
from openbond.server.errors import WHOLE, Forbidden, Refused
from openbond.server.measurement.models import SpeedTest
from openbond.server.measurement.selectors import speed_tests_visible_to
from openbond.server.measurement.services import cancel_speed_test
from openbond.server.spaces.viewer import Viewer
from openbond.server.web.page import Page

MOST_RATES = 10
TOO_MANY = f"At most {MOST_RATES} rate limits, separated by commas."
TESTS = "bonds/<id:bond_id>/speedtests/"
TUNERS = "bonds/<id:bond_id>/tuners/"
LEG_TUNERS = "bonds/<id:bond_id>/legs/<id:leg_id>/tuners/"
STANDARD = {
    "leg": "",
    "direction": "download",
    "length": "10",
    "protocol": "tcp",
    "concurrency": "1",
    "rates": "",
}
# What the API calls a field that stands under another name here.
FIELDS = {"rate_limit": "rates"}
WORDS = {
    "directions": [("download", "Download"), ("upload", "Upload")],
    "protocols": [("tcp", "TCP"), ("udp", "UDP")],
}


@dataclass(frozen=True, slots=True)
class TestForm:
    """What was typed, and what is wrong with it by field."""

    typed: dict[str, str] = field(default_factory=lambda: dict(STANDARD))
    errors: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def sent(cls, form: QueryDict) -> "TestForm":
        return cls({name: form.get(name, "").strip() for name in STANDARD})

    @property
    def whole(self) -> list[str]:
        """What is wrong with none of the fields."""
        return self.errors.get(WHOLE, [])

    @property
    def rates(self) -> list[str]:
        """The rate limits, each of its own test; one "" without any: as fast as it goes."""
        return [part.strip() for part in self.typed["rates"].split(",")]

    def body(self, bond_id: int, rate: str) -> dict[str, Any]:
        leg = self.typed["leg"]
        wanted: dict[str, Any] = {
            name: _number(self.typed[name]) for name in ("length", "concurrency")
        }
        wanted |= {name: self.typed[name] for name in ("direction", "protocol")}
        wanted["leg"] = f"/api/v3/bonds/{bond_id}/legs/{leg}/" if leg else None
        return wanted | {"rate_limit": _number(rate) if rate else None}


class BondWork(Page):
    """Something started on a bond in reach."""

    @property
    def back(self) -> str:
        return f"/bonds/{self.kwargs['pk']}/"

    def bond(self) -> Bond:
        """Raises Http404."""
        found = bonds_visible_to(self.viewer).filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def asked(self, route: str, body: dict[str, Any], **path: int) -> Answer:
        """Return what the API answers to a POST."""
        place = place_of(route)
        ids = {"bond_id": self.kwargs["pk"], **path}
        door = opened(place.view, self.viewer, handlers=place.of_list, path=ids, sent=body)
        answer = answer_of(door, "create")
        if answer.status == 404:
            raise Http404
        if answer.status == 403:
            raise Forbidden(answer.words)
        return answer

    def go_back(self, words: str) -> HttpResponse:
        messages.success(self.request, words)
        return HttpResponseRedirect(self.back)

    def refuse(self, words: str) -> HttpResponse:
        messages.error(self.request, words)
        return HttpResponseRedirect(self.back)


class StartTests(BondWork):
    """One test, or one for each rate limit: all of them are queued, or none."""

    code = "add_speedtest"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self.show(TestForm())

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.bond()
        form = TestForm.sent(request.POST)
        errors = {"rates": [TOO_MANY]} if len(form.rates) > MOST_RATES else self._queue(form)
        if errors:
            return self.show(TestForm(form.typed, errors))
        count = len(form.rates)
        return self.go_back("1 test is queued." if count == 1 else f"{count} tests are queued.")

    def _queue(self, form: TestForm) -> dict[str, list[str]]:
        with transaction.atomic():
            for rate in form.rates:
                answer = self.asked(TESTS, form.body(self.kwargs["pk"], rate))
                if not answer.is_good:
                    transaction.set_rollback(True)
                    return _errors(answer)
        return {}

    def show(self, form: TestForm) -> HttpResponse:
        bond = self.bond()
        context = {"form": form, "bond": bond, "back": self.back, **choices_for(self.viewer, bond)}
        return self.render("web/bonds/start_test.html", context, status=400 if form.errors else 200)


class CancelTest(BondWork):
    code = "add_speedtest"

    def get(self, request: HttpRequest, pk: int, test: int) -> HttpResponse:
        context = {"bond": self.bond(), "test": self._test(), "back": self.back}
        return self.render("web/bonds/cancel_test.html", context)

    def post(self, request: HttpRequest, pk: int, test: int) -> HttpResponse:
        try:
            cancel_speed_test(by=self.viewer, test=self._test())
        except Refused as refusal:
            return self.refuse(str(refusal))
        return self.go_back("The test is cancelled.")

    def _test(self) -> SpeedTest:
        rows = speed_tests_visible_to(self.viewer).filter(bond=self.kwargs["pk"])
        found = rows.filter(pk=self.kwargs["test"]).first()
        if found is None:
            raise Http404
        return found


class StartTuning(BondWork):
    """A tuning of the bond, or of the leg that is sent."""

    code = "add_tuner"

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        bond = self.bond()
        context = {"bond": bond, "back": self.back, "leg": request.GET.get("leg", "")}
        context |= choices_for(self.viewer, bond)
        return self.render("web/bonds/start_tuning.html", context)

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        self.bond()
        leg = request.POST.get("leg", "")
        if leg and not (leg.isascii() and leg.isdigit() and len(leg) <= 18):
            raise Http404
        answer = self.asked(LEG_TUNERS, {}, leg_id=int(leg)) if leg else self.asked(TUNERS, {})
        if not answer.is_good:
            return self.refuse(answer.words)
        return self.go_back("The tuning is queued. It shows below when it begins.")


def choices_for(viewer: Viewer, bond: Bond) -> dict[str, Any]:
    """Return what may be chosen in the form of tests: the bond, or one of its legs."""
    rows = legs_visible_to(viewer).filter(bond=bond).order_by("id")
    legs = rows if viewer.can("view_leg") else ()
    named = [
        (str(leg.pk), f"{leg.interface or leg.report.interface or leg.type} #{leg.pk}")
        for leg in legs
    ]
    return {"targets": [("", "The whole bond"), *named], **WORDS}


def _errors(answer: Answer) -> dict[str, list[str]]:
    faults = answer.faults or {WHOLE: [answer.words]}
    return {FIELDS.get(name, name): texts for name, texts in faults.items()}


def _number(text: str) -> object:
    """Return a number as JSON has it; what is none is left for the API to refuse."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
