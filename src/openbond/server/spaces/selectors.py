"""Reads of spaces and people; the first argument is who asks."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    Expression,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Coalesce
from django.utils.crypto import constant_time_compare

from openbond.server.system.models import AuditEntry
from openbond.server.system.prepared import Given, Prepared
from openbond.server.system.selectors import audit_entries

from .models import (
    BRANDING_KEYS,
    SUPPORT_KEYS,
    ApiToken,
    Group,
    GroupGrant,
    Space,
    SpaceClosure,
    User,
)
from .permissions import ALL_CODES
from .roll_ups import RollUp, counted
from .rules import Sharing, shared_from
from .viewer import Viewer

# Every request asks this.
GRANTS = Prepared(
    lambda: Group.objects.filter(users=Given("user", BigIntegerField())).order_by(),
    "is_builtin",
    "grants__code",
)


def viewer_for(user: User, *, read_only: bool = False, origin: str = "") -> Viewer:
    """Return the viewer that an authenticated user is, with his codes (one query)."""
    return Viewer(user, codes=codes_of(user), read_only=read_only, origin=origin)


def codes_of(user: User) -> frozenset[str]:
    """Return the union of the codes of the user's groups."""
    grants = GRANTS.run(user=user.pk)
    if any(grant["is_builtin"] for grant in grants):
        return ALL_CODES
    return frozenset(grant["grants__code"] for grant in grants if grant["grants__code"])


def codes_of_users(user_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """Return the codes of many users, by id: three statements for all of them."""
    codes = {group.pk: group.codes for group in Group.objects.prefetch_related("grants")}
    groups = groups_by_user(list(user_ids))
    return {
        user_id: frozenset().union(*(codes[group_id] for group_id in groups.get(user_id, [])))
        for user_id in user_ids
    }


def viewer_in_space(
    user: User, *, space_id: int, codes: frozenset[str], origin: str = ""
) -> Viewer | None:
    """Return a user as a viewer who sees `space_id` and below alone; None where it is not in his
    reach. His home space costs no query."""
    viewer = Viewer(user, codes=codes, origin=origin)
    if space_id == user.space_id:
        return viewer
    space = spaces_visible_to(viewer).filter(pk=space_id).first()
    return None if space is None else viewer.narrowed_to(space)


def living_sessions(
    keys: Collection[str], *, now: datetime
) -> dict[str, tuple[User, dict[str, Any]]]:
    """Return of these keys of sessions those of active users, with what each session holds.

    The same checks as Django makes for a request, in two statements for all of them.
    """
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=now)
    held = {row.session_key: row.get_decoded() for row in rows}
    ids = {str(data.get(SESSION_KEY, "")) for data in held.values()}
    wanted = [int(each) for each in ids if each.isdecimal()]
    users = {
        str(user.pk): user
        for user in User.objects.filter(pk__in=wanted, active=True).select_related("space")
    }
    found = {}
    for key, data in held.items():
        user = users.get(str(data.get(SESSION_KEY, "")))
        signed = str(data.get(HASH_SESSION_KEY, ""))
        if user is not None and constant_time_compare(signed, user.get_session_auth_hash()):
            found[key] = (user, data)
    return found


def user_by_login(login: str) -> User | None:
    """Return the user with this e-mail address (ignoring case) or, without `@`, username."""
    users = User.objects.select_related("space")
    if "@" in login:
        return users.filter(email__iexact=login).first()
    return users.filter(username=login).first()


def user_by_id(user_id: int) -> User | None:
    """Return the account with its space; None where it was deleted."""
    return User.objects.select_related("space").filter(pk=user_id).first()


def groups_of(user: User) -> QuerySet[Group]:
    """Return the groups that a user is in, by name."""
    return user.groups.order_by("name")


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Return the API tokens that a user made, newest first; what ended is among them."""
    return ApiToken.objects.filter(owner=user).select_related("owner").order_by("-created", "-id")


def token_shown_as(text: str, *, now: datetime) -> ApiToken | None:
    """Return the token that was shown as `text`, with its owner, unless it has expired."""
    digest = sha256(text.encode()).hexdigest()
    tokens = ApiToken.objects.select_related("owner__space")
    return tokens.filter(digest=digest, expires__gt=now).first()


def spaces_visible_to(viewer: Viewer) -> QuerySet[Space]:
    return Space.objects.filter(viewer.in_reach("id"))


def spaces_called(word: str) -> QuerySet[Space]:
    """Spaces of this key, whatever its case; whoever asks must narrow them to a reach."""
    return Space.objects.filter(key__iexact=word)


def if_in_reach(viewer: Viewer, column: str, *, path: str = "space") -> Expression | F:
    """Return the expression of a column that reads null where the space at `path` is not reached.

    Whose a shared object is, and its key, stay with its owner (api-v3 00-general 11.3): not only
    in the object, but also in what lists are filtered, searched and ordered by.
    """
    return F(column) if viewer.is_root else Case(When(viewer.in_reach(path), then=F(column)))


def users_visible_to(viewer: Viewer) -> QuerySet[User]:
    return User.objects.filter(viewer.in_reach())


def groups_visible_to(viewer: Viewer) -> QuerySet[Group]:
    """Groups are the same for all; each has `user_count`, its members within reach."""
    members = (
        User.objects.filter(viewer.in_reach(), groups=OuterRef("pk"))
        .order_by()
        .values("groups")
        .annotate(found=Count("pk"))
        .values("found")
    )
    counted = Group.objects.annotate(user_count=Coalesce(Subquery(members), 0))
    return counted.prefetch_related("grants")


def groups_by_user(user_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the ids of the groups that users are in, ascending, by the id of the user."""
    memberships = User.groups.through.objects.filter(user__in=user_ids).order_by("group_id")
    found: dict[int, list[int]] = {}
    for user_id, group_id in memberships.values_list("user_id", "group_id"):
        found.setdefault(user_id, []).append(group_id)
    return found


def members_visible_to(viewer: Viewer, group_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return the ids of the users within reach that are in groups, by the id of the group."""
    memberships = User.groups.through.objects.filter(
        viewer.in_reach("user__space"), group__in=group_ids
    )
    found: dict[int, list[int]] = {}
    for user_id, group_id in memberships.order_by("user_id").values_list("user_id", "group_id"):
        found.setdefault(group_id, []).append(user_id)
    return found


def is_granting(code: str) -> Q:
    """Return the condition that a group grants a code; the built-in group grants all."""
    granting = GroupGrant.objects.filter(code=code).values("group_id")
    return Q(is_builtin=True) | Q(pk__in=granting)


def sharing_of(space: Space) -> Sharing:
    """Return the ids of spaces above whose objects are usable in `space` (api-v3 00-general 11)."""
    above = SpaceClosure.objects.filter(descendant=space).order_by("depth")
    return shared_from([row.ancestor for row in above.select_related("ancestor")])


@dataclass(frozen=True, slots=True)
class Looks:
    """What a space shows of itself; every key has the nearest ancestor's value, or ""."""

    branding: dict[str, str]
    support: dict[str, str]


def inherited_looks(space_id: int) -> Looks:
    """Return the looks of a space, with what it has from above."""
    above = SpaceClosure.objects.filter(descendant=space_id).order_by("depth")
    return _looks([row.ancestor for row in above.select_related("ancestor")])


def root_looks() -> Looks:
    """Return what the installation shows to whoever is not signed in."""
    return _looks(Space.objects.filter(parent__isnull=True))


def _looks(upwards: Iterable[Space]) -> Looks:
    spaces = list(upwards)
    return Looks(
        branding={key: _nearest(key, [s.branding for s in spaces]) for key in BRANDING_KEYS},
        support={key: _nearest(key, [s.support for s in spaces]) for key in SUPPORT_KEYS},
    )


def _nearest(key: str, upwards: list[dict[str, str]]) -> str:
    return next((looks[key] for looks in upwards if looks.get(key)), "")


def is_descendant(*, below: Space, above: Space) -> bool:
    """Report whether `below` lies under `above`; a space is no descendant of itself."""
    return SpaceClosure.objects.filter(ancestor=above, descendant=below, depth__gt=0).exists()


def root_space() -> Space:
    return Space.objects.get(parent__isnull=True)


def has_users() -> bool:
    """Report whether anybody has an account here; once somebody has, somebody always will."""
    return User.objects.exists()


def has_active_administrator() -> bool:
    """Report whether an active user of the root space is in the built-in group."""
    return User.objects.filter(
        Q(active=True, space__parent__isnull=True, groups__is_builtin=True)
    ).exists()


def path_below(*, above: Space, below: Space) -> list[Space]:
    """Return the spaces from the child of `above` down to `below`, in order."""
    deeper = Space.objects.filter(closure_below__descendant=below, level__gt=above.level)
    return list(deeper.order_by("level"))


def user_statistics(space: Space) -> RollUp:
    """Return `count` and `active` of the users of a space and below."""
    return counted(space, "user", keys={"active": "1"})


def audit_visible_to(viewer: Viewer) -> QuerySet[AuditEntry]:
    """Return what was changed in the reach; what belongs to no space only the root sees."""
    return audit_entries().filter(viewer.in_reach())
