"""Who reads and writes: a user, what he may do, and how far he sees."""

from functools import cached_property

from django.db.models import Q

from openbond.server.errors import Forbidden, RootSpaceOnly
from openbond.server.system.actors import Actor

from .models import Space, SpaceClosure, User
from .rules import Sharing, shared_from

# Holds for every row and costs no SQL. An empty Q would not do: joined by "or" with another
# condition it is that other condition alone.
EVERYTHING = ~Q(pk__in=[])


class Viewer(Actor):
    """A user with his codes. Every read starts from one; lives as long as a request.

    `read_only` is that of the token used; `space` stands for the home space where the reach was
    narrowed to less. Costs no query until it is asked something.
    """

    def __init__(
        self,
        user: User,
        *,
        codes: frozenset[str],
        read_only: bool = False,
        origin: str = "",
        space: Space | None = None,
    ) -> None:
        super().__init__(user_id=user.pk, name=user.email, origin=origin)
        self.user = user
        self.codes = codes
        self.read_only = read_only
        self._narrowed_to = space

    @property
    def space(self) -> Space:
        """The home space, or the one that the reach was narrowed to."""
        return self._narrowed_to or self.user.space

    @property
    def space_id(self) -> int:
        """The home space, or the one that the reach was narrowed to."""
        return self._narrowed_to.pk if self._narrowed_to else self.user.space_id

    @cached_property
    def is_root(self) -> bool:
        """Report whether the home space is the root, so that everything is in reach."""
        return self.space.level == 0

    def narrowed_to(self, space: Space) -> "Viewer":
        """Return the same person, seeing `space` and below as if it were his home.

        The caller found `space` in the reach (selectors.viewer_in_space). Nothing comes into sight
        that was not: what is shared with `space` comes from spaces in reach, or is shared with the
        home space too.
        """
        return Viewer(
            self.user,
            codes=self.codes,
            read_only=self.read_only,
            origin=self.origin,
            space=space,
        )

    def can(self, code: str) -> bool:
        return code in self.codes

    def require(self, code: str) -> None:
        """Raises Forbidden without the code."""
        if code not in self.codes:
            raise Forbidden

    def require_root(self) -> None:
        """Raises RootSpaceOnly unless the home space is the root."""
        if not self.is_root:
            raise RootSpaceOnly

    def in_reach(self, path: str = "space") -> Q:
        """Return the condition that the space at `path` lies in the reach."""
        if self.is_root:
            return EVERYTHING
        below = SpaceClosure.objects.filter(ancestor_id=self.space_id).values("descendant_id")
        return Q(**{f"{path}__in": below})

    def in_reach_or(self, shared: frozenset[int], path: str = "space") -> Q:
        """Return the condition that the space at `path` lies in the reach or among `shared`."""
        return self.in_reach(path) | Q(**{f"{path}__in": shared})

    def reaches(self, space_id: int) -> bool:
        """Report whether a space lies in the reach."""
        return self.is_root or space_id in self._below

    @cached_property
    def shared(self) -> Sharing:
        """The ids of spaces above whose objects are shared with the home space."""
        above = (
            SpaceClosure.objects.filter(descendant_id=self.space_id)
            .order_by("depth")
            .select_related("ancestor")
        )
        return shared_from([row.ancestor for row in above])

    @cached_property
    def _below(self) -> frozenset[int]:
        rows = SpaceClosure.objects.filter(ancestor_id=self.space_id)
        return frozenset(rows.values_list("descendant_id", flat=True))
