"""Counts of what spaces hold, kept by triggers of the database (ADR 0012).

A trigger writes one row per space at or above that of an object which comes, goes or changes what
it counts as. Rows are only added, so writers never wait for one another; the count of a space is
the sum of its rows, however many spaces are below it. `fold` makes one row of many, `recount` puts
right what is wrong and tells what was.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.db import connection, transaction
from django.db.models import BooleanField, DateTimeField, Model

from .models import SpaceClosure, SpaceCount

TABLE, CLOSURE = SpaceCount._meta.db_table, SpaceClosure._meta.db_table
PREFIX = "spacecount_"
Statements = Sequence[str]


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of `model` count as `what`, apart by the values of `columns`: "leg.dhcp.active".

    They have a space, or they belong to a row of `owner` (the column, and the model) that has.
    """

    model: type[Model]
    what: str
    columns: tuple[str, ...] = ()
    owner: tuple[str, type[Model]] | None = None

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    def key(self, row: str) -> str:
        """Return the expression of what a row counts as; ids and times count as set or not."""
        return " || '.' || ".join([f"'{self.what}'", *(self._value(row, c) for c in self.columns)])

    def space(self, row: str) -> str:
        """Return the expression of the space in which a row counts."""
        if self.owner is None:
            return f"{row}.space_id"
        column, model = self.owner
        where = f"WHERE owner.id = {row}.{column}"
        return f"(SELECT owner.space_id FROM {model._meta.db_table} owner {where})"  # noqa: S608

    @property
    def watched(self) -> tuple[str, ...]:
        """The columns whose change may change the count."""
        return (*self.columns, self.owner[0] if self.owner else "space_id")

    def _value(self, row: str, column: str) -> str:
        fields = {field.column: field for field in self.model._meta.concrete_fields}
        if isinstance(fields[column], BooleanField):
            return f"CASE WHEN {row}.{column} THEN '1' ELSE '0' END"
        if fields[column].is_relation or isinstance(fields[column], DateTimeField):
            return f"CASE WHEN {row}.{column} IS NULL THEN '0' ELSE '1' END"
        return f"{row}.{column}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A count that was not what counting anew gives."""

    space_id: int
    what: str
    own: int
    whole: int


def install(counted: Sequence[Counted]) -> bool:
    """Make the triggers, and count anew; False, and nothing done, when they are all there."""
    wanted = {name for name, _, _ in _triggers(counted)}
    with transaction.atomic():
        if _existing() == wanted:
            return False
        uninstall()
        with connection.cursor() as cursor:
            for name, when, body in _triggers(counted):
                for statement in _made(name, when, body):
                    cursor.execute(statement)
        recount(counted)
    return True


def uninstall() -> None:
    """Drop the triggers: tables are about to be made anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name in _existing():
            if connection.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER {name}")
            else:
                cursor.execute(f"DROP FUNCTION {name}() CASCADE")


@transaction.atomic
def recount(counted: Sequence[Counted]) -> list[Difference]:
    """Count everything anew; return what was wrong before. Writers may go on meanwhile."""
    found = differences(counted)
    # One statement sees one moment: a change is in the rows and in its deltas, or in neither.
    rows = f"SELECT space_id, what, own, whole, true FROM ({_counts(counted)}) fresh"  # noqa: S608
    _replace(f"DELETE FROM {TABLE}", rows)  # noqa: S608
    return found


def differences(counted: Sequence[Counted]) -> list[Difference]:
    """Return the counts that differ from counting anew: what is kept, less what is there."""
    statement = f"""
        SELECT space_id, what, SUM(own), SUM(whole) FROM (
            SELECT space_id, what, own, whole FROM {TABLE}
            UNION ALL
            SELECT space_id, what, -own, -whole FROM ({_counts(counted)}) fresh
        ) both_ways
        GROUP BY space_id, what HAVING SUM(own) <> 0 OR SUM(whole) <> 0
        ORDER BY space_id, what
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [
            Difference(space, what, int(own), int(whole))
            for space, what, own, whole in cursor.fetchall()
        ]


@transaction.atomic
def fold() -> None:
    """Make one row of the many that changes left, per space and kind; zeros go."""
    touched = f"SELECT DISTINCT space_id FROM {TABLE} WHERE NOT folded"  # noqa: S608
    _fold(f"DELETE FROM {TABLE} WHERE space_id IN ({touched})")  # noqa: S608


def _fold(delete: str) -> None:
    if connection.vendor == "sqlite":
        rows = delete.replace("DELETE", "SELECT space_id, what, own, whole", 1)
        _replace(delete, _summed(f"({rows}) gone"), keep=True)
    else:
        _replace(delete, _summed("gone"))


def _summed(rows: str) -> str:
    return (
        f"SELECT space_id, what, SUM(own), SUM(whole), true FROM {rows} "  # noqa: S608
        "GROUP BY space_id, what HAVING SUM(own) <> 0 OR SUM(whole) <> 0"
    )


def _replace(delete: str, rows: str, *, keep: bool = False) -> None:
    """Delete rows and insert others. PostgreSQL does it in one statement, which sees one moment;
    SQLite has one writer, so nothing happens between two. `keep`: read before deleting."""
    insert = f"INSERT INTO {TABLE} (space_id, what, own, whole, folded) {rows}"
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            returned = "RETURNING space_id, what, own, whole"
            cursor.execute(f"WITH gone AS ({delete} {returned}) {insert}")
        elif keep:
            cursor.execute(f"CREATE TEMP TABLE refolded AS {rows}")
            cursor.execute(delete)
            cursor.execute(
                f"INSERT INTO {TABLE} (space_id, what, own, whole, folded) "  # noqa: S608
                "SELECT * FROM refolded"
            )
            cursor.execute("DROP TABLE refolded")
        else:
            cursor.execute(delete)
            cursor.execute(insert)


def _counts(counted: Iterable[Counted]) -> str:
    """Return the query that counts everything: space_id, what, own, whole."""
    here = " UNION ALL ".join(
        f"SELECT {one.space('t')} AS space_id, {one.key('t')} AS what, COUNT(*) AS n "  # noqa: S608
        f"FROM {one.table} t GROUP BY 1, 2"
        for one in counted
    )
    return (
        "SELECT c.ancestor_id AS space_id, here.what AS what, "  # noqa: S608
        "SUM(CASE WHEN c.depth = 0 THEN here.n ELSE 0 END) AS own, SUM(here.n) AS whole "
        f"FROM ({here}) here JOIN {CLOSURE} c ON c.descendant_id = here.space_id "
        "GROUP BY c.ancestor_id, here.what"
    )


def _triggers(counted: Iterable[Counted]) -> list[tuple[str, str, Statements]]:
    """Return name, moment and statements of every trigger; the name tells when they differ."""
    made: list[tuple[str, str, Statements]] = []
    for one in counted:
        come, go = _written(one, "NEW", 1), _written(one, "OLD", -1)
        places = [(one.space(row), one.key(row)) for row in ("OLD", "NEW")]
        changed = " OR ".join(f"{old} <> {new}" for old, new in zip(*places, strict=True))
        if one.owner:
            # A trigger may not look up other tables to see whether it is wanted.
            changed = " OR ".join(f"OLD.{c} IS DISTINCT FROM NEW.{c}" for c in one.watched)
        columns = ", ".join(one.watched)
        made += [
            _trigger(f"{one.what}_come", f"AFTER INSERT ON {one.table}", "", [come]),
            _trigger(f"{one.what}_go", f"AFTER DELETE ON {one.table}", "", [go]),
            _trigger(
                f"{one.what}_change",
                f"AFTER UPDATE OF {columns} ON {one.table}",
                changed,
                [go, come],
            ),
        ]
        if one.owner:
            made.append(_move(one, *one.owner))
    return made


def _move(one: Counted, column: str, owner: type[Model]) -> tuple[str, str, Statements]:
    """Return the trigger for an owner that moves to another space, with all that is counted."""
    table = owner._meta.db_table
    moves = [
        f"INSERT INTO {TABLE} (space_id, what, own, whole, folded) "  # noqa: S608
        f"SELECT c.ancestor_id, {one.key('t')}, "
        f"{sign} * SUM(CASE WHEN c.depth = 0 THEN 1 ELSE 0 END), {sign} * COUNT(*), false "
        f"FROM {one.table} t JOIN {CLOSURE} c ON c.descendant_id = {row}.space_id "
        f"WHERE t.{column} = {row}.id GROUP BY c.ancestor_id, {one.key('t')}"
        for row, sign in (("OLD", -1), ("NEW", 1))
    ]
    changed = "OLD.space_id <> NEW.space_id"
    return _trigger(f"{one.what}_move", f"AFTER UPDATE OF space_id ON {table}", changed, moves)


def _written(one: Counted, row: str, sign: int) -> str:
    return (
        f"INSERT INTO {TABLE} (space_id, what, own, whole, folded) "  # noqa: S608
        f"SELECT c.ancestor_id, {one.key(row)}, CASE WHEN c.depth = 0 THEN {sign} ELSE 0 END, "
        f"{sign}, false FROM {CLOSURE} c WHERE c.descendant_id = {one.space(row)}"
    )


def _trigger(
    name: str, moment: str, condition: str, statements: Statements
) -> tuple[str, str, Statements]:
    when = f"{moment} FOR EACH ROW" + (f" WHEN ({condition})" if condition else "")
    mark = sha256("\n".join([when, *statements]).encode()).hexdigest()[:8]
    return f"{PREFIX}{name}_{mark}", when, statements


def _made(name: str, when: str, body: Statements) -> Statements:
    """Return the statements that make a trigger."""
    steps = "".join(f"{statement};\n" for statement in body)
    if connection.vendor == "sqlite":
        differing = when.replace("IS DISTINCT FROM", "IS NOT")
        return [f"CREATE TRIGGER {name} {differing} BEGIN {steps} END"]
    return [
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {steps} RETURN NULL; END $$",
        f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {name}()",
    ]


def _existing() -> set[str]:
    names: dict[str, str] = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(names[connection.vendor])
        return {name for (name,) in cursor.fetchall() if name.startswith(PREFIX)}
