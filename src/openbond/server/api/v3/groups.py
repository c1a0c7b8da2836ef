"""Groups: named sets of permission codes, the same for all spaces (07-people-spaces.md, 2)."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Link, Text, Texts, Time, Whole
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.api.view import Door
from openbond.server.spaces import selectors, services
from openbond.server.spaces.models import Group
from openbond.server.spaces.permissions import PERMISSIONS

CODES = sorted(PERMISSIONS)
TWICE = "A code may be named only once."


class Codes(Texts):
    """Permission codes, none of them twice."""

    default_error_messages = {"twice": TWICE}

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        codes = super().run_child_validation(data)
        if len(set(codes)) < len(codes):
            self.fail("twice")
        return codes


class GroupBody(Body):
    id = Whole(read_only=True)
    url = Link()
    name = Text(64, blank=False, required=True)
    permissions = Codes(Choice(CODES))
    users = Texts(Link(), read_only=True)
    user_count = Whole(read_only=True)
    created = Time()
    modified = Time()


class Groups(Resource[Group]):
    """Groups; only users of the root space write them."""

    codes = codes_for("group")
    root_only = frozenset({"create", "replace", "change", "remove"})
    body = GroupBody
    listing = lists.Listing(
        filters={
            "name": lists.text("name"),
            "users": lists.relation("users", "users"),
            "permissions": lists.choice("grants", list(PERMISSIONS), selectors.is_granting),
        },
        search=("name",),
        ordering={
            "id": lists.by("id"),
            "name": lists.by_text("name"),
            "user_count": lists.by("user_count"),
            "created": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[Group]:
        return selectors.groups_visible_to(self.viewer)

    def present(self, rows: QuerySet[Group]) -> list[Shown]:
        groups = list(rows)
        members = selectors.members_visible_to(self.viewer, [group.pk for group in groups])
        return [self._group(group, members.get(group.pk, [])) for group in groups]

    def make(self, given: dict[str, Any]) -> Group:
        return services.create_group(by=self.viewer, **given)

    def alter(self, row: Group, given: dict[str, Any]) -> None:
        services.update_group(by=self.viewer, group=row, **given)

    def discard(self, row: Group) -> None:
        services.delete_group(by=self.viewer, group=row)

    def _group(self, row: Group, members: list[int]) -> Shown:
        return {
            "id": row.pk,
            "url": self.links.to("groups", row.pk),
            "name": row.name,
            "permissions": sorted(row.codes),
            "users": [self.links.to("users", user_id) for user_id in members],
            "user_count": len(members),
            "created": values.time(row.created),
            "modified": values.time(row.modified),
        }


class Permissions(Door):
    """Permission codes with their printable names."""

    def retrieve(self, request: Request, **path: object) -> Response:
        return Response(PERMISSIONS)
