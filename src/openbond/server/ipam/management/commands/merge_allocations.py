"""Merges two adjacent IP allocations of a space into one (behaviour 5.6)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from openbond.server.errors import InvalidFields
from openbond.server.ipam.models import IPAllocation
from openbond.server.ipam.services import merge_allocations
from openbond.server.system.actors import COMMAND_LINE


class Command(BaseCommand):
    help = "Two adjacent allocations become one. Use `openbond server merge-allocations`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--first", type=int, required=True)
        parser.add_argument("--second", type=int, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        first, second = (_allocation(options[name]) for name in ("first", "second"))
        try:
            merged = merge_allocations(by=COMMAND_LINE, first=first, second=second)
        except InvalidFields as refused:
            raise CommandError(f"Not merged. {refused.fields['network'][0]}") from refused
        self.stdout.write(f"Allocation {merged.pk} is {merged.network} now.")


def _allocation(ident: int) -> IPAllocation:
    row = IPAllocation.objects.filter(pk=ident).first()
    if row is None:
        raise CommandError(f"There is no IP allocation {ident}: see /ipallocations/.")
    return row
