"""Turns a constraint that a write broke into the field error that the contract promises."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.db.models import Model, UniqueConstraint

from openbond.server.errors import InvalidFields

FOREIGN_KEY_VIOLATION = "23503"  # PostgreSQL's code
UNIQUE_NAME = ("name", "Name must be unique.")


@contextmanager
def refusing(model: type[Model], refusals: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """Run a write in a savepoint; raise InvalidFields for the constraints named in `refusals`.

    `refusals` maps the name of a unique constraint of `model` to the field and the message. Other
    broken constraints go on as they are: they are faults of ours.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        refusal = refusals.get(broken_constraint(model, error) or "")
        if refusal is None:
            raise
        raise InvalidFields.one(*refusal) from error


def broken_constraint(model: type[Model], error: IntegrityError) -> str | None:
    """Return the name of the constraint of `model` that `error` is about, if it can be told."""
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is not None:
        name: str | None = diagnosis.constraint_name
        return name
    text = str(error)
    for owner in [model, *model._meta.get_parent_list()]:
        for constraint in owner._meta.constraints:
            if isinstance(constraint, UniqueConstraint) and _is_about(text, owner, constraint):
                return constraint.name
    return None


def is_about_a_missing_row(error: IntegrityError) -> bool:
    """Report whether a row was named that is gone, or one went that others name."""
    if getattr(error.__cause__, "sqlstate", "") == FOREIGN_KEY_VIOLATION:
        return True
    return "FOREIGN KEY constraint failed" in str(error)


def _is_about(text: str, model: type[Model], constraint: UniqueConstraint) -> bool:
    # SQLite names the index of expressions, and the columns of any other.
    if constraint.expressions:
        return text.endswith(f"index '{constraint.name}'")
    columns = [
        f"{model._meta.db_table}.{model._meta.get_field(name).column}"  # type: ignore[union-attr]
        for name in constraint.fields
    ]
    return text.endswith(f"UNIQUE constraint failed: {', '.join(columns)}")
