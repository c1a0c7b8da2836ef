"""Settings of the installation: one object, name → value (08-system.md, 9)."""

import re
from ipaddress import ip_address
from typing import Any, ClassVar

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api.body import Body, checked
from openbond.server.api.etags import check_precondition, etag_of
from openbond.server.api.fields import Choice, Email, Flag, JsonValue, Text, Texts, Whole
from openbond.server.api.lists import fields_left_out
from openbond.server.api.options import describe_fields
from openbond.server.api.view import Door
from openbond.server.system.locks import hold
from openbond.server.system.models import EmailSecurity, Settings
from openbond.server.system.selectors import current_settings
from openbond.server.system.services import update_settings

from .users import Timezone

HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?"
)
NOT_HOST = "Enter a host name or an IP address."
MAX_ENTRIES = 20


class Host(Text):
    """A host name or an IP address."""

    def __init__(self, **options: object):
        super().__init__(253, blank=False, **options)

    def to_internal_value(self, data: JsonValue) -> str:
        text = super().to_internal_value(data)
        if not _is_host(text):
            raise serializers.ValidationError(NOT_HOST)
        return text


class SettingsBody(Body):
    failover_interval = Whole(5, 3600, help_text="seconds")
    failover_receive_timeout = Whole(1, 60, help_text="seconds")
    failover_retries = Whole(1, 10, help_text="checks")
    maintenance_mode = Flag()
    known_hosts_enabled = Flag()
    known_hosts = Texts(Host(), max_length=MAX_ENTRIES)
    allow_suspension = Flag()
    suspension_percentage = Whole(1, 100, help_text="percent")
    prevented_downtime_outage_length = Whole(1, 86400, help_text="seconds")
    timezone = Timezone(64, blank=False)
    metric_collection_interval = Whole(1, 3600, help_text="seconds")
    metric_reporting_interval = Whole(10, 86400, help_text="seconds")
    node_status_timeout = Whole(30, 3600, help_text="seconds")
    server_hostname = Host()
    email_from = Email(254, allow_blank=True)
    email_host = Host()
    email_port = Whole(1, 65535)
    email_username = Text(255)
    email_password = Text(255, write_only=True)
    email_security = Choice(EmailSecurity.values)
    email_recipients = Texts(Email(254), max_length=MAX_ENTRIES)
    backup_retention = Whole(1, 365, help_text="days")
    token_max_lifetime = Whole(1, 3650, help_text="days")
    tunnel_network = Text(read_only=True)
    management_network = Text(read_only=True)


WRITE_ONLY = "email_password"


class SettingsObject(Door):
    """The settings; a change acts without a restart."""

    codes = {
        "retrieve": "view_settings",
        "replace": "change_settings",
        "change": "change_settings",
    }
    root_only = frozenset({"retrieve", "replace", "change"})
    body: ClassVar[type[Body]] = SettingsBody

    def retrieve(self, request: Request, **path: object) -> Response:
        return self._answer(current_settings())

    def replace(self, request: Request, **path: object) -> Response:
        # PUT requires no field and leaves absent ones as they are, so it is PATCH here.
        return self.change(request)

    def change(self, request: Request, **path: object) -> Response:
        with transaction.atomic():
            hold(current_settings())
            check_precondition(request, self._etag(current_settings()))
            row = update_settings(by=self.viewer, **self._taken())
        return self._answer(row)

    def writes_offered(self) -> dict[str, object]:
        return {"PUT": describe_fields(self.body())} if self.may_call("replace") else {}

    def _taken(self) -> dict[str, Any]:
        context = {"viewer": self.viewer, "row": None}
        return checked(self.body(data=self.sent(), partial=True, context=context))

    def _answer(self, row: Settings) -> Response:
        left_out = fields_left_out(self.request.query_params)
        found = self._values(row).items()
        shown = {name: value for name, value in found if name not in left_out}
        return Response(shown, headers={"ETag": self._etag(row)})

    def _etag(self, row: Settings) -> str:
        return etag_of(self._values(row) | {WRITE_ONLY: row.sealed_email_password}, root="/")

    def _values(self, row: Settings) -> dict[str, Any]:
        names = (str(name) for name in self.body().fields)
        return {name: getattr(row, name) for name in names if name != WRITE_ONLY}


def _is_host(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        # Four numbers are an address gone wrong, not a name.
        return bool(HOST_NAME.fullmatch(text)) and not re.fullmatch(r"[0-9.]+", text)
    return "%" not in text
