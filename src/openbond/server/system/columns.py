"""Columns that several rooms share."""

from typing import Any

from django.db import models
from django.utils import timezone

from .addresses import address_key, network_edges


class Dated(models.Model):
    """A row with the two times that every stored object shows.

    `modified` follows writable fields only, so services set it, never the database.
    """

    created = models.DateTimeField(default=timezone.now, editable=False)
    modified = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True


class AddressKeyField(models.BinaryField[bytes | None, bytes | None]):
    """The key of the address in another column, for order and comparison; null where that is."""

    def __init__(self, *args: Any, source: str = "", **options: Any) -> None:
        self.source = source
        options.setdefault("editable", False)
        super().__init__(*args, **options)

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "source": self.source}

    def pre_save(self, model_instance: models.Model, add: bool) -> bytes | None:
        text: str | None = getattr(model_instance, self.source)
        key = self.key_of(text) if text else None
        setattr(model_instance, self.attname, key)
        return key

    def key_of(self, text: str) -> bytes:
        return address_key(text)


class FirstKeyField(AddressKeyField):
    """The key of the first address of the network in another column."""

    def key_of(self, text: str) -> bytes:
        return network_edges(text)[0]


class LastKeyField(AddressKeyField):
    """The key of the last address of the network in another column."""

    def key_of(self, text: str) -> bytes:
        return network_edges(text)[1]
