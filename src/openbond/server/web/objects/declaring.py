"""How a resource is told to the site: the words, the columns, the groups of its fields.

Everything else (which filters, which orders, which fields, what may be written, with which words
it is refused) comes from the API's own declaration of the resource.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from openbond.server.api.in_process import Place, place_of

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together on an object's page and in its form."""

    title: str
    names: Words


@dataclass(frozen=True, slots=True)
class Action:
    """Something that may be asked of an object: what the button says, and what it does."""

    name: str
    title: str
    words: str
    # Offered only while this field has one of these values; "" is always.
    when: str = ""
    values: Words = ()
    # The page itself offers it elsewhere, where it can be done.
    is_elsewhere: bool = False

    def is_offered(self, shown: Mapping[str, object]) -> bool:
        """Report whether an object's page has a button for it, as the object is shown."""
        return not self.is_elsewhere and (not self.when or shown.get(self.when) in self.values)


@dataclass(frozen=True, slots=True)
class Related:
    """A list shown on an object's page.

    `path` names the ids in the address of the other list that are the id of this object;
    `query` the filters that are.
    """

    sheet: str
    title: str
    path: Words = ()
    query: str = ""
    columns: Words = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """The pages of one resource: a list, and where there are objects, one page for each.

    `route` is the address of the list on the site; where the API keeps the same list at the same
    address, `own_place` is not said.
    """

    key: str
    route: str
    title: str
    one: str
    about: str
    columns: Words
    groups: tuple[Group, ...] = ()
    name: str = "name"
    # What the audit calls these objects.
    kind: str = ""
    # What the list says when nothing is there at all.
    empty: str = ""
    actions: tuple[Action, ...] = ()
    related: tuple[Related, ...] = ()
    # Fields that may be changed on many objects at once.
    bulk: Words = ()
    # Where one is made by a page of its own, with the ids as in `route`, and the code for it.
    made_at: tuple[str, str] = ("", "")
    # Sheets of which the button "New" makes one; itself where it is not said.
    makes: Words = ()
    # What goes with an object that is deleted, where the database alone does not tell.
    goes_with: str = ""
    helps: Mapping[str, str] = field(default_factory=dict)
    # Fields that no list and no page shows.
    left_out: frozenset[str] = frozenset()
    order: str = ""
    own_place: Place | None = None
    # Filters that are asked for often: words → query.
    quick: tuple[tuple[str, str], ...] = ()
    # More links at the head of the list: title → address.
    beside: tuple[tuple[str, str], ...] = ()

    @property
    def place(self) -> Place:
        return self.own_place or place_of(self.route)

    def address(self, path: Mapping[str, object]) -> str:
        """Return the address of the list below the objects of `path`."""
        return "/" + filled(self.route, path)


def filled(route: str, path: Mapping[str, object]) -> str:
    """Return a route with its ids filled in; ids that it does not have are left alone."""
    for name, value in path.items():
        for kind in ("id", "space"):
            route = route.replace(f"<{kind}:{name}>", str(value))
    return route
