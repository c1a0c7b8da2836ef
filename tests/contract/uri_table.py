"""The published URI table as data: `v3_uris.tsv`, 96 published rows and 10 additions."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("v3_uris.tsv")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Row:
    """One URI, with X, Y and Z for ids, and the methods it promises."""

    uri: str
    methods: frozenset[str]
    is_published: bool

    @property
    def path(self) -> str:
        """The URI with 1 for every id."""
        return re.sub(r"\b[XYZ]\b", "1", self.uri)

    @property
    def refused(self) -> list[str]:
        return [method for method in METHODS if method not in self.methods]

    @property
    def allow(self) -> str:
        """What the Allow header says."""
        allowed = [method for method in METHODS if method in self.methods]
        head = ["HEAD"] if "GET" in self.methods else []
        return ", ".join([*allowed, *head, "OPTIONS"])


def rows() -> list[Row]:
    with TABLE.open() as table:
        return [
            Row(
                line["uri"],
                frozenset(line["methods"].split(", ")),
                line["published"] == "published",
            )
            for line in csv.DictReader(table, dialect="excel-tab")
        ]
