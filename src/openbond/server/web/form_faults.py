"""What was wrong with a form: field name → messages, whoever found it."""

from collections.abc import Mapping

from rest_framework.exceptions import ValidationError

from openbond.server.errors import WHOLE, InvalidFields

Faults = dict[str, list[str]]


def faults_of(found: object) -> Faults:
    """Return the messages of what refused, or of the errors of a body.

    Nested faults are told at the field that holds them.
    """
    if isinstance(found, InvalidFields):
        found = found.fields
    elif isinstance(found, ValidationError):
        found = found.detail
    if not isinstance(found, Mapping):
        return {WHOLE: _texts(found)}
    return {name: _texts(messages) for name, messages in found.items()}


def _texts(found: object) -> list[str]:
    if isinstance(found, Mapping):
        return [text for each in found.values() for text in _texts(each)]
    if isinstance(found, list | tuple):
        return [text for each in found for text in _texts(each)]
    return [str(found)]
