"""Spaces, users and groups."""

from openbond.server.web.objects.declaring import Group, Related, Sheet

from .bonds import DATES

PEOPLE_SHEETS = (
    Sheet(
        key="spaces",
        route="spaces/",
        title="Spaces",
        one="Space",
        about="Tenants, in a tree: each sees itself and what lies below.",
        columns=("name", "key", "parent", "level", "related_object_counts", "crm_id"),
        groups=(
            Group("What it is", ("name", "key", "parent", "level", "crm_id", "note")),
            Group(
                "What it may use of its parent",
                (
                    "use_parent_aggregators",
                    "use_parent_qos_profiles",
                    "use_parent_mobile_provider_profiles",
                    "private_wan_enabled",
                ),
            ),
            Group("Looks", ("branding",)),
            Group("Support", ("support",)),
            Group("Counts", ("related_object_counts",)),
            DATES,
        ),
        kind="space",
        related=(
            Related("spaces", "Spaces below", query="parent"),
            Related("bonds", "Bonds", query="space"),
            Related("aggregators", "Aggregators", query="space"),
            Related("users", "Users", query="space"),
            Related("space_allocations", "Allocations", path=("space",)),
            Related("space_delegations", "Delegations from its parent", path=("space",)),
        ),
        bulk=(
            "note",
            "use_parent_aggregators",
            "use_parent_qos_profiles",
            "use_parent_mobile_provider_profiles",
        ),
        helps={
            "key": "Letters, digits, - and _: it names the space in addresses.",
            "use_parent_aggregators": "Its bonds may end at aggregators of the space above.",
        },
        goes_with="It can only be deleted when it is empty.",
        beside=(("Tree", "/spaces/tree/"),),
    ),
    Sheet(
        key="users",
        route="users/",
        title="Users",
        one="User",
        about="Accounts for this site and the API.",
        columns=("email", "first_name", "last_name", "space", "groups", "active", "last_login"),
        groups=(
            Group("Who", ("email", "username", "first_name", "last_name", "timezone")),
            Group("What he may do", ("space", "groups", "role", "active", "permissions")),
            Group("Password", ("password",)),
            Group("Record", ("id", "last_login", "date_joined", "modified")),
        ),
        name="email",
        kind="user",
        bulk=("active",),
        helps={
            "space": "His home: he sees it and all below it.",
            "groups": "What they grant together, he may do.",
            "password": "At least 10 characters.",
            "timezone": "A name like Europe/Vienna.",
        },
        goes_with="His API tokens and sessions end at once.",
    ),
    Sheet(
        key="groups",
        route="groups/",
        title="Groups",
        one="Group",
        about="Named sets of permissions, the same in all spaces.",
        columns=("name", "user_count", "permissions"),
        groups=(
            Group("What it is", ("name", "user_count", "users")),
            Group("What it grants", ("permissions",)),
            DATES,
        ),
        kind="group",
    ),
)
