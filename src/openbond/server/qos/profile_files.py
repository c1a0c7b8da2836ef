"""QoS profiles as files: what the command line reads and writes until the site edits them.

    {"name": "Voice first", "overhead_margin": 5,
     "classes": [{"name": "Voice", "bandwidth": 40},
                 {"name": "Rest", "bandwidth": 60, "default": true}],
     "filters": [{"class": "Voice", "protocol": "udp", "ports": "5060-5061"}]}

Classes are in order of service, filters in order of trial; a filter names its class. `"copies": 2`
in a class sends each of its packets on two legs (behaviour 2.14).
"""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

import msgspec

from .models import QosProfile
from .rules import ClassSpec, FilterSpec
from .selectors import parts_of


class BadProfileFile(Exception):
    """The file says no profile; the message says where and why."""


class ClassEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: str
    bandwidth: int
    default: bool = False
    copies: int = 1


class FilterEntry(
    msgspec.Struct, rename={"target": "class"}, forbid_unknown_fields=True, omit_defaults=True
):
    target: str
    name: str = ""
    ip_version: str = "any"
    protocol: str = "any"
    ports: str = ""
    network: str | None = None
    dscp: int | None = None
    min_packet_size: int | None = None
    max_packet_size: int | None = None
    min_flow_size: int | None = None
    max_flow_size: int | None = None
    max_packet_rate: int | None = None
    tcp_ack: bool = False


class ProfileFile(msgspec.Struct, forbid_unknown_fields=True):
    """`overhead_margin` in percent, one decimal."""

    name: str
    classes: list[ClassEntry]
    filters: list[FilterEntry] = []
    overhead_margin: float = 5

    @property
    def overhead_margin_permille(self) -> int:
        return int(Decimal(str(self.overhead_margin)) * 10)

    @property
    def class_specs(self) -> list[ClassSpec]:
        return [ClassSpec(one.name, one.bandwidth, one.default, one.copies) for one in self.classes]

    @property
    def filter_specs(self) -> list[FilterSpec]:
        return [FilterSpec(**msgspec.structs.asdict(one)) for one in self.filters]


def read_profile(text: bytes) -> ProfileFile:
    """Return the profile that a file describes. Raises BadProfileFile."""
    try:
        return msgspec.json.decode(text, type=ProfileFile)
    except msgspec.MsgspecError as error:
        raise BadProfileFile(f"This is no QoS profile: {error}") from error


def write_profile(profile: QosProfile) -> bytes:
    """Return the file of a profile, indented for people."""
    return described(profile.name, profile.overhead_margin_permille, *parts_of(profile))


def described(
    name: str,
    overhead_margin_permille: int,
    classes: Sequence[ClassSpec],
    filters: Sequence[FilterSpec],
) -> bytes:
    """Return the file of a profile that may not be there yet, indented for people."""
    found = ProfileFile(
        name=name,
        overhead_margin=overhead_margin_permille / 10,
        classes=[
            ClassEntry(one.name, one.bandwidth, one.is_default, one.copies) for one in classes
        ],
        filters=[FilterEntry(**asdict(one)) for one in filters],
    )
    return msgspec.json.format(msgspec.json.encode(found), indent=2)
