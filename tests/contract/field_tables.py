"""The contract's field tables as data: `v3_fields.tsv`, one row a field of a resource.

`added_fields.tsv` has what we added, which the contract allows (00-general.md, 12).
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

TABLES = [Path(__file__).with_name(name) for name in ("v3_fields.tsv", "added_fields.tsv")]


@dataclass(frozen=True)
class Field:
    """`access` is R, W (perhaps `W, secret` or `W, fixed`) or WO; `default` as in JSON, or ""."""

    name: str
    access: str
    required: str
    is_nullable: bool
    default: str

    @property
    def is_read_only(self) -> bool:
        return self.access == "R"

    @property
    def is_fixed(self) -> bool:
        return self.access == "W, fixed"

    @property
    def is_shown(self) -> bool:
        return self.access != "WO"

    @property
    def default_value(self) -> object:
        if self.default == "(empty)":
            return ""
        try:
            return json.loads(self.default)
        except ValueError:
            return self.default


def fields_of(resource: str) -> dict[str, Field]:
    """Return the fields of a resource by name, the common ones included."""
    lines = [line for table in TABLES for line in _lines(table) if line["resource"] == resource]
    return {
        line["field"]: Field(
            name=line["field"],
            access=line["access"],
            required=line["required"],
            is_nullable=line["nullable"] == "null",
            default=line["default"],
        )
        for line in lines
    }


def _lines(table: Path) -> list[dict[str, str]]:
    with table.open() as file:
        return list(csv.DictReader(file, dialect="excel-tab"))
