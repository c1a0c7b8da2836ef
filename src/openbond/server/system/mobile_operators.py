"""Known mobile operators and their APNs: read from a file of the installation, never written.

The file is made from Debian's package mobile-broadband-provider-info by scripts/mobile-operators.
"""

import csv
from functools import lru_cache
from importlib.resources import files

FILE = "mobile_operators.tsv"


def access_points() -> list[dict[str, str]]:
    """Return country, provider, apn, username and password of each, by the first three."""
    return [dict(row) for row in _rows()]


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, str]]:
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), dialect="excel-tab"))
