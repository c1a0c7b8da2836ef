"""Which charts a bond's page has; their points come from /api/charts/ (behaviour 4.8)."""

from dataclasses import dataclass

from openbond.server.telemetry.rules.charts import SPANS

SPAN_WORDS = {
    "15min": "15 min",
    "1h": "1 h",
    "6h": "6 h",
    "day": "Day",
    "week": "Week",
    "month": "Month",
    "year": "Year",
}


@dataclass(frozen=True, slots=True)
class ShownChart:
    key: str
    title: str
    about: str
    is_stacked: bool = False


CHARTS_SHOWN = (
    ShownChart("tunnel_traffic", "Traffic", "upload above, download below"),
    ShownChart("leg_traffic", "Traffic by leg", "upload above, download below", is_stacked=True),
    ShownChart("tunnel_latency", "Latency of the tunnel", "mean and deviation"),
    ShownChart("leg_latency", "Latency by leg", "as the tunnel measures it"),
    ShownChart("leg_loss", "Loss by leg", "upload above, download below"),
    ShownChart("leg_state_changes", "Changes of state by leg", "", is_stacked=True),
    ShownChart("cpu", "CPU of the bonder", ""),
)


def charts_of(bond_id: int) -> dict[str, object]:
    """Return what the template of charts needs."""
    return {
        "charts_at": f"/api/charts/bonds/{bond_id}/",
        "charts": CHARTS_SHOWN,
        "spans": [(key, SPAN_WORDS[key]) for key in SPANS],
    }
