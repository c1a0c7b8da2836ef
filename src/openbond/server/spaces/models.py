"""Spaces, and the people in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from openbond.server.system.columns import Dated

from .permissions import ALL_CODES

BRANDING_KEYS = ("product_name", "logo_url", "color")
SUPPORT_KEYS = ("name", "email", "phone", "url")


def blank_branding() -> dict[str, str]:
    return dict.fromkeys(BRANDING_KEYS, "")


def blank_support() -> dict[str, str]:
    return dict.fromkeys(SUPPORT_KEYS, "")


class Space(Dated):
    """A tenant. Spaces form a tree; a user sees the home space and everything below it."""

    name = models.CharField(max_length=64)
    key = models.CharField(max_length=63)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children")
    level = models.PositiveSmallIntegerField()
    crm_id = models.CharField(max_length=255, default="", blank=True)
    note = models.CharField(max_length=4000, default="", blank=True)
    use_parent_aggregators = models.BooleanField(default=False)
    use_parent_qos_profiles = models.BooleanField(default=False)
    use_parent_mobile_provider_profiles = models.BooleanField(default=False)
    private_wan_enabled = models.BooleanField(default=False)
    branding = models.JSONField[dict[str, str]](default=blank_branding)
    support = models.JSONField[dict[str, str]](default=blank_support)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("key"), name="space_key_unique"),
            models.UniqueConstraint(
                fields=["level"], condition=Q(parent__isnull=True), name="space_one_root"
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, level=0) | Q(parent__isnull=False, level__gt=0),
                name="space_level_fits_parent",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SpaceClosure(models.Model):
    """Every pair of a space and a space above it (itself at depth 0): the tree, flat.

    Written by services in the transaction that makes or deletes the space.
    """

    ancestor = models.ForeignKey(Space, models.CASCADE, related_name="closure_below")
    descendant = models.ForeignKey(Space, models.CASCADE, related_name="closure_above")
    depth = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ancestor", "descendant"], name="space_closure_pair_unique"
            ),
            models.CheckConstraint(
                condition=Q(depth=0, ancestor=models.F("descendant"))
                | Q(depth__gt=0) & ~Q(ancestor=models.F("descendant")),
                name="space_closure_depth",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ancestor_id} above {self.descendant_id} by {self.depth}"


class Group(Dated):
    """A named set of permission codes, the same for all spaces."""

    name = models.CharField(max_length=64)
    is_builtin = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("name"), name="group_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def codes(self) -> frozenset[str]:
        """The codes it grants. The built-in group grants all, later ones included."""
        if self.is_builtin:
            return ALL_CODES
        return frozenset(grant.code for grant in self.grants.all())


class GroupGrant(models.Model):
    """One code that a group grants."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="grants")
    code = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["group", "code"], name="group_grant_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.group_id}: {self.code}"


class UserRole(models.TextChoices):
    """A description of what somebody does; it grants nothing."""

    ADMINISTRATOR = "administrator"
    ENGINEER = "engineer"
    SUPPORT = "support"
    SALES = "sales"
    BILLING = "billing"
    CUSTOMER = "customer"
    API = "api"
    OTHER = "other"


class Users(BaseUserManager["User"]):
    """Finds accounts by e-mail address, ignoring case."""

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser, Dated):
    """An account. `last_login` may lag by an hour."""

    email = models.EmailField(max_length=254)
    username = models.CharField(max_length=150, null=True)  # noqa: DJ001
    first_name = models.CharField(max_length=100, default="", blank=True)
    last_name = models.CharField(max_length=100, default="", blank=True)
    role = models.CharField(max_length=16, choices=UserRole, default=UserRole.OTHER)
    active = models.BooleanField(default=True)
    space = models.ForeignKey(Space, models.PROTECT, related_name="users")
    groups = models.ManyToManyField(Group, related_name="users")
    timezone = models.CharField(max_length=64, default="UTC")
    # Part of what every session is signed with: another one ends them all.
    session_salt = models.CharField(max_length=32, default="", blank=True)
    # Of lists on the site, by list: the columns that he wants to see.
    list_columns = models.JSONField[dict[str, list[str]]](default=dict, blank=True)

    objects: ClassVar[Users] = Users()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique"),
            models.UniqueConstraint(fields=["username"], name="user_username_unique"),
            models.CheckConstraint(
                condition=Q(username__isnull=True) | (~Q(username="") & ~Q(username__contains="@")),
                name="user_username_without_at",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def get_session_auth_hash(self) -> str:
        """Return what a session must hold to count: another password or salt ends it."""
        return self._session_hash()

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        for secret in settings.SECRET_KEY_FALLBACKS:
            yield self._session_hash(secret)

    def _session_hash(self, secret: str | bytes | None = None) -> str:
        signed = f"{self.password}{self.session_salt}"
        return salted_hmac(
            "openbond.session", signed, secret=secret, algorithm="sha256"
        ).hexdigest()

    @property
    def is_active(self) -> bool:  # type: ignore[override]  # a class attribute that none writes
        """Django's name for `active`; its session back end asks for it."""
        return self.active


class ApiToken(models.Model):
    """A token of a user, stored only as the SHA-256 of what was shown once."""

    owner = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)
    read_only = models.BooleanField(default=False)
    created = models.DateTimeField()
    expires = models.DateTimeField()
    last_used = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "name"], name="token_name_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class SpaceCount(models.Model):
    """So many objects more, or fewer, of a kind in a space: `own`, and `whole` with all below it.

    Triggers add a row for each change and each space above it, and wait for nobody; the sum over
    the rows is the count. A job makes one `folded` row of them. See counting.py. No foreign key:
    rows outlive a space until they are folded away.
    """

    space_id = models.BigIntegerField()
    what = models.CharField(max_length=40)
    own = models.BigIntegerField()
    whole = models.BigIntegerField()
    folded = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["space_id", "what"], name="space_count_of_space"),
            models.Index(
                fields=["space_id"], condition=Q(folded=False), name="space_count_unfolded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.whole:+} {self.what} in space {self.space_id}"
