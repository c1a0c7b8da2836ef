"""What the database deletes along with a row, counted for people."""

from collections import Counter

from django.db import router
from django.db.models import Model
from django.db.models.deletion import Collector, ProtectedError, RestrictedError

# Models that people have a word for; of everything else they need not think.
WORDS = {
    "leg": ("leg", "legs"),
    "connectedip": ("connected IP", "connected IPs"),
    "cpenatip": ("CPE NAT IP", "CPE NAT IPs"),
    "route": ("route", "routes"),
    "speedtest": ("speed test", "speed tests"),
    "tuning": ("tuning", "tunings"),
    "configupdate": ("config update", "config updates"),
    "ipallocation": ("IP allocation", "IP allocations"),
    "assignedroutinggroup": ("assignment to a routing group", "assignments to routing groups"),
    "qosclass": ("class", "classes"),
    "qosfilter": ("filter", "filters"),
    "apitoken": ("API token", "API tokens"),
    "bond": ("bond", "bonds"),
    "user": ("user", "users"),
    "space": ("space", "spaces"),
}


def goes_with(row: Model) -> list[str]:
    """Return what is deleted with `row`, itself left out: "3 legs". Nothing is deleted."""
    collector = Collector(using=router.db_for_write(type(row), instance=row), origin=row)
    try:
        collector.collect([row])
    except (ProtectedError, RestrictedError):
        return []
    counts: Counter[str] = Counter()
    for model, rows in collector.data.items():
        counts[model._meta.model_name or ""] += len(rows)
    for found in collector.fast_deletes:
        counts[found.model._meta.model_name or ""] += found.count()
    counts[row._meta.model_name or ""] -= 1
    return [
        f"{counts[name]} {one if counts[name] == 1 else many}"
        for name, (one, many) in WORDS.items()
        if counts[name] > 0
    ]
