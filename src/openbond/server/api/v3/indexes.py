"""Indexes: name → URL, for any authenticated user (01-fleet.md 1, 08-system.md 1)."""

from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from openbond.server.api.view import Door


class Index(Door):
    """What lies below an address that holds no objects itself."""

    path: ClassVar[str] = ""
    names: ClassVar[list[str]]

    def retrieve(self, request: Request, **path: object) -> Response:
        return Response({name: self.links.to(f"{self.path}{name}") for name in self.names})


class Root(Index):
    """The top-level resources."""

    names = [
        "nodes",
        "aggregators",
        "bonders",
        "qos",
        "bonds",
        "ipallocations",
        "mobileproviderprofiles",
        "routinggroups",
        "users",
        "groups",
        "permissions",
        "spaces",
        "system",
        "settings",
    ]
