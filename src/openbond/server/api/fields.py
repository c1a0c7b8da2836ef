"""The kinds of fields the contract knows, with its standard messages (00-general.md, 4 and 9).

Only input goes through these fields, and OPTIONS and the OpenAPI document read them. Output is
written by plain functions in `v3/`, because a serializer's walk over every field of every object
costs five times as much. Nothing is required and everything may be written unless said.
"""

import math
import re
from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers

TRUE: Final = {"true", "1", "on"}
FALSE: Final = {"false", "0", "off"}
WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?")

JsonValue = object
AnyField = serializers.Field[Any, Any, Any, Any]


class Text(serializers.CharField):
    """A string; trimmed, without NUL. Blank unless `blank=False`."""

    def __init__(self, max_length: int | None = None, *, blank: bool = True, **options: object):
        options.setdefault("required", False)
        super().__init__(max_length=max_length, allow_blank=blank, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> str:
        # What is no text is refused here; the stubs promise that nothing else comes.
        text: str = super().to_internal_value(data)  # type: ignore[arg-type]
        return text


class Email(serializers.EmailField):
    """An e-mail address."""

    def __init__(self, max_length: int = 254, **options: object):
        options.setdefault("required", False)
        super().__init__(max_length=max_length, **options)  # type: ignore[arg-type]


class Pattern(Text):
    """A string of certain characters only."""

    def __init__(self, allowed: re.Pattern[str], message: str, max_length: int, **options: object):
        options.setdefault("blank", False)
        super().__init__(max_length, **options)  # type: ignore[arg-type]
        self.allowed = allowed
        self.message = message

    def to_internal_value(self, data: JsonValue) -> str:
        text = super().to_internal_value(data)
        if not self.allowed.fullmatch(text):
            raise serializers.ValidationError(self.message)
        return text


class Flag(serializers.BooleanField):
    """A boolean, also as an unambiguous string."""

    def __init__(self, **options: object):
        options.setdefault("required", False)
        super().__init__(**options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> bool:
        word = str(data).strip().lower() if isinstance(data, str | int) else ""
        if word in TRUE:
            return True
        if word in FALSE:
            return False
        self.fail("invalid", input=data)
        return False


class Whole(serializers.IntegerField):
    """An integer, also as a string of digits; 5.0 counts as 5."""

    def __init__(self, low: int | None = None, high: int | None = None, **options: object):
        options.setdefault("required", False)
        super().__init__(min_value=low, max_value=high, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> int:
        value = whole_number(data)
        if value is None:
            self.fail("invalid")
        return value


class Number(serializers.DecimalField):
    """A number with a few decimals, also as a string."""

    def __init__(
        self,
        low: str | None = None,
        high: str | None = None,
        *,
        decimals: int = 3,
        **options: object,
    ):
        options.setdefault("required", False)
        super().__init__(
            max_digits=None,
            decimal_places=decimals,
            min_value=None if low is None else Decimal(low),
            max_value=None if high is None else Decimal(high),
            **options,  # type: ignore[arg-type]
        )

    def to_internal_value(self, data: JsonValue) -> Decimal:
        value = decimal_number(data)
        if value is None:
            self.fail("invalid")
        return self.validate_precision(value.normalize())


class Choice(serializers.ChoiceField):
    """One of a closed set of words."""

    def __init__(self, words: list[str] | tuple[str, ...], **options: object):
        options.setdefault("required", False)
        super().__init__(choices=list(words), **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: JsonValue) -> str:
        word = data.strip() if isinstance(data, str) else data
        if not isinstance(word, str) or word not in self.choices:
            self.fail("invalid_choice", input=data)
        return word


class Time(serializers.DateTimeField):
    """A time the server tells; never written."""

    def __init__(self, **options: object):
        super().__init__(read_only=True, **options)  # type: ignore[arg-type]


class Link(serializers.URLField):
    """The address of an object; never written. `Relation` is the kind that may be."""

    def __init__(self, **options: object):
        super().__init__(read_only=True, **options)  # type: ignore[arg-type]


class Texts(serializers.ListField):
    """A list of strings; a repeated key in a form. What is wrong stands on the field itself."""

    def __init__(self, child: AnyField, **options: object):
        options.setdefault("required", False)
        super().__init__(child=child, **options)  # type: ignore[arg-type]

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        found, faults = [], []
        for element in data:
            try:
                found.append(self.child.run_validation(element))
            except serializers.ValidationError as fault:
                faults += [message for message in fault.detail if message not in faults]
        if faults:
            raise serializers.ValidationError(faults)
        return found


class Objects(serializers.ListField):
    """The objects of another resource inside this one; `of` is their body. Never written."""

    def __init__(self, of: type[serializers.BaseSerializer[Any]], **options: object):
        super().__init__(child=serializers.DictField(), read_only=True, **options)  # type: ignore[arg-type]
        self.of = of


def has_letter_or_digit(text: str) -> None:
    """Raise ValidationError for a name of nothing but marks."""
    if not any(character.isalnum() for character in text):
        raise serializers.ValidationError("Use at least one letter or digit.")


def whole_number(given: JsonValue) -> int | None:
    """Return the integer `given` stands for, or None if it stands for none."""
    if isinstance(given, bool):
        return None
    if isinstance(given, int):
        return given if abs(given) < 10**20 else None
    if isinstance(given, float):
        return int(given) if given.is_integer() and abs(given) < 10**20 else None
    if isinstance(given, str) and WHOLE.fullmatch(given.strip()):
        return int(given)
    return None


def decimal_number(given: JsonValue) -> Decimal | None:
    """Return the number `given` stands for, exactly as written, or None if it stands for none."""
    if isinstance(given, bool):
        return None
    if isinstance(given, float):
        return Decimal(repr(given)) if math.isfinite(given) else None
    if isinstance(given, int):
        return Decimal(given) if abs(given) < 10**20 else None
    if isinstance(given, str) and NUMBER.fullmatch(given.strip()):
        return Decimal(given.strip())
    return None


__all__ = [
    "AnyField",
    "Choice",
    "Email",
    "Flag",
    "Link",
    "Number",
    "Objects",
    "Pattern",
    "Text",
    "Texts",
    "Time",
    "Whole",
    "decimal_number",
    "has_letter_or_digit",
    "whole_number",
]
