"""Reads a QoS profile from a file into a space, or writes one out."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from openbond.server.bonds.services import replace_qos_parts, update_qos_profile
from openbond.server.errors import DomainError
from openbond.server.qos.models import QosProfile
from openbond.server.qos.profile_files import (
    BadProfileFile,
    ProfileFile,
    read_profile,
    write_profile,
)
from openbond.server.qos.services import create_qos_profile
from openbond.server.spaces.models import Space
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "QoS profiles as JSON files. Use `openbond server qos-profile`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["load", "show"])
        parser.add_argument("subject", help="load: the file; show: the profile's name")
        parser.add_argument("--space", default="", help="key of the space; default: the root")

    def handle(self, *args: Any, **options: Any) -> None:
        space = _space(options["space"])
        if options["verb"] == "show":
            self.stdout.write(write_profile(_profile(options["subject"], space)).decode())
            return
        try:
            profile = _load(read_profile(_content(Path(options["subject"]))), space)
        except (BadProfileFile, DomainError) as refused:
            raise CommandError(f"The profile was not loaded. {refused}") from refused
        self.stdout.write(f"QoS profile {profile.name} of {space.name} has id {profile.pk}.")


@transaction.atomic
def _load(described: ProfileFile, space: Space) -> QosProfile:
    known = QosProfile.objects.filter(space=space, name__iexact=described.name).first()
    margin = described.overhead_margin_permille
    classes, filters = described.class_specs, described.filter_specs
    if known is None:
        return create_qos_profile(
            by=COMMAND_LINE,
            name=described.name,
            space=space,
            classes=classes,
            filters=filters,
            overhead_margin_permille=margin,
        )
    update_qos_profile(by=COMMAND_LINE, profile=known, overhead_margin_permille=margin)
    return replace_qos_parts(by=COMMAND_LINE, profile=known, classes=classes, filters=filters)


def _space(key: str) -> Space:
    wanted = Space.objects.filter(key__iexact=key) if key else Space.objects.filter(level=0)
    found = wanted.first()
    if found is None:
        raise CommandError(f"There is no space with the key {key!r}.")
    return found


def _profile(name: str, space: Space) -> QosProfile:
    found = QosProfile.objects.filter(space=space, name__iexact=name).first()
    if found is None:
        raise CommandError(f"{space.name} has no QoS profile named {name!r}.")
    return found


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {error.strerror}.") from error
