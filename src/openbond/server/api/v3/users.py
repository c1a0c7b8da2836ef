"""Users: accounts for the web site and the API (07-people-spaces.md, 1)."""

import re
from functools import cached_property
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework import serializers

from openbond.server.api import lists, values
from openbond.server.api.body import Body
from openbond.server.api.fields import Choice, Email, Flag, Link, Pattern, Text, Texts, Time, Whole
from openbond.server.api.relations import Relation, Relations, SpaceRelation
from openbond.server.api.resource import Resource, Shown, codes_for
from openbond.server.errors import Forbidden
from openbond.server.spaces import selectors, services
from openbond.server.spaces.models import User, UserRole
from openbond.server.spaces.selectors import codes_of, groups_visible_to
from openbond.server.system.rules import timezone_names

USERNAME = re.compile(r"[A-Za-z0-9_.+-]*")
NOT_USERNAME = "Use letters, digits, _, ., + and - only."
NOT_TIMEZONE = "Use a name from /system/timezones/."
COLUMNS = [
    "id",
    "email",
    "username",
    "first_name",
    "last_name",
    "role",
    "active",
    "space_id",
    "timezone",
    "last_login",
    "created",
    "modified",
]


class Timezone(Text):
    """The name of a time zone of the IANA database."""

    def to_internal_value(self, data: object) -> str:
        name = super().to_internal_value(data)
        if name not in timezone_names():
            raise serializers.ValidationError(NOT_TIMEZONE)
        return name


class UserBody(Body):
    id = Whole(read_only=True)
    url = Link()
    email = Email(254, required=True)
    username = Pattern(USERNAME, NOT_USERNAME, 150, blank=True, allow_null=True)
    first_name = Text(100)
    last_name = Text(100)
    role = Choice(UserRole.values)
    active = Flag()
    space = SpaceRelation(required=True)
    groups = Relations(Relation("groups", groups_visible_to))
    permissions = Texts(Text(), read_only=True)
    password = Text(128, blank=False, min_length=10, write_only=True)
    timezone = Timezone(64, blank=False)
    last_login = Time(allow_null=True)
    date_joined = Time()
    created = Time()
    modified = Time()


class Users(Resource[User]):
    """Users within reach: those whose home space is, the caller among them."""

    codes = codes_for("user")
    body = UserBody
    listing: ClassVar[lists.Listing] = lists.Listing(
        filters={
            "email": lists.text("email"),
            "username": lists.nullable_text("username"),
            "active": lists.flag("active"),
            "role": lists.choice("role", UserRole.values),
            "space": lists.space(),
            "groups": lists.relation("groups", "groups"),
        },
        search=("email", "username", "first_name", "last_name"),
        ordering={
            "id": lists.by("id"),
            "email": lists.by_text("email"),
            "username": lists.by_text("username", nullable=True),
            "first_name": lists.by_text("first_name"),
            "last_name": lists.by_text("last_name"),
            "role": lists.by("role"),
            "active": lists.by("active"),
            "space": lists.by_text("space__name"),
            "last_login": lists.by("last_login", nullable=True),
            "date_joined": lists.by("created"),
        },
    )

    def rows(self) -> QuerySet[User]:
        return selectors.users_visible_to(self.viewer)

    def present(self, rows: QuerySet[User]) -> list[Shown]:
        users = list(rows.values(*COLUMNS))
        groups = selectors.groups_by_user([row["id"] for row in users])
        return [self._user(row, groups.get(row["id"], [])) for row in users]

    def hidden(self, row: User) -> Shown:
        return {"password": row.password}

    def check_writable(self, row: User) -> None:
        if codes_of(row) - self.viewer.codes:
            raise Forbidden("This user holds permissions that you do not hold.")

    def make(self, given: dict[str, Any]) -> User:
        return services.create_user(by=self.viewer, **given)

    def alter(self, row: User, given: dict[str, Any]) -> None:
        services.update_user(by=self.viewer, user=row, **given)

    def discard(self, row: User) -> None:
        services.delete_user(by=self.viewer, user=row)

    @cached_property
    def _codes(self) -> dict[int, frozenset[str]]:
        """The codes of every group, by its id."""
        return {group.pk: group.codes for group in groups_visible_to(self.viewer)}

    def _user(self, row: dict[str, Any], group_ids: list[int]) -> Shown:
        codes = {code for group_id in group_ids for code in self._codes[group_id]}
        created = values.time(row["created"])
        return {
            "id": row["id"],
            "url": self.links.to("users", row["id"]),
            **{name: row[name] for name in COLUMNS[1:7]},
            "space": self.links.to("spaces", row["space_id"]),
            "groups": [self.links.to("groups", group_id) for group_id in group_ids],
            "permissions": sorted(codes),
            "timezone": row["timezone"],
            "last_login": values.time_or_null(row["last_login"]),
            "date_joined": created,
            "created": created,
            "modified": values.time(row["modified"]),
        }
