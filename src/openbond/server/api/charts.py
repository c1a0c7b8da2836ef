"""Charts of a bond, for the site: no part of API v3 (behaviour 4.8)."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.http import Http404, HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.errors import InvalidFields
from openbond.server.telemetry.rules.charts import CHARTS, SPANS, values_of
from openbond.server.telemetry.selectors.charts import BondChart, Drawn, bond_chart
from openbond.wire.metrics import RollUp

from . import values
from .negotiation import JSON
from .view import Door

FORMATS = ("json", "csv")


class BondCharts(Door):
    """One chart of a bond over a span that ends now, as JSON or, with format=csv, as CSV."""

    codes = {"retrieve": "view_bond"}

    def negotiate(self, request: Request) -> None:
        """CSV is asked for in the query; what is refused is told in JSON all the same."""
        if request.GET.get("format") != "csv":
            super().negotiate(request)
            return
        request.accepted_renderer, request.accepted_media_type = self.get_renderers()[0], JSON

    def retrieve(self, request: Request, bond_id: int) -> Response | HttpResponse:
        chart, span = self._one_of("chart", CHARTS), self._one_of("span", SPANS)
        ways = [way.value for way in values_of(CHARTS[chart])]
        value = self._one_of("value", ways, usual=ways[0])
        is_csv = self._one_of("format", FORMATS, usual="json") == "csv"
        found = bond_chart(
            self.viewer,
            bond_id=bond_id,
            chart=chart,
            span=span,
            now=self.now,
            rolled_up=RollUp(value),
        )
        if found is None:
            raise Http404
        if not is_csv:
            return Response({"chart": chart, "span": span, **_shown(found)})
        name = f"bond-{bond_id}-{chart}-{span}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(_csv(found), content_type="text/csv; charset=utf-8", headers=headers)

    def _one_of(self, field: str, known: Iterable[str], *, usual: str = "") -> str:
        """Return the word of the query. Raises InvalidFields for one that is not known."""
        words = list(known)
        given = self.request.GET.get(field, usual)
        if given not in words:
            raise InvalidFields.one(field, f"Choose one of: {', '.join(words)}.")
        return given


def _shown(chart: BondChart) -> dict[str, object]:
    start = datetime.fromtimestamp(chart.start_s, UTC)
    length = timedelta(seconds=chart.span.bucket_s * chart.span.points)
    return {
        "start": values.time(start),
        "end": values.time(start + length),
        "bucket": chart.span.bucket_s,
        "unit": chart.unit,
        "value": chart.rolled_up.value,
        "lines": [_line(line) for line in chart.lines],
    }


def _line(line: Drawn) -> dict[str, object]:
    leg = line.leg
    return {
        "name": line.line.name,
        "axis": line.line.axis.value,
        "leg": leg and {"id": leg.id, "type": leg.type, "interface": leg.interface},
        "values": line.values,
    }


def _csv(chart: BondChart) -> str:
    """Return a line per bucket; a gap is an empty cell."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["time", *(_heading(line, chart.unit) for line in chart.lines)])
    begin = chart.start_s
    for number, row in enumerate(zip(*(line.values for line in chart.lines), strict=True)):
        at = datetime.fromtimestamp(begin + number * chart.span.bucket_s, UTC)
        rows.writerow([values.time(at), *("" if cell is None else cell for cell in row)])
    return text.getvalue()


def _heading(line: Drawn, unit: str) -> str:
    leg = line.leg
    words = [f"leg {leg.id}", leg.interface or leg.type] if leg else []
    return " ".join([*words, line.line.name, f"({unit})"])
