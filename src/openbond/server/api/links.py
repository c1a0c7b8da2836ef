"""Absolute addresses of resources, with the scheme, host and port the client used."""

from rest_framework.request import Request

API_V3 = "/api/v3/"

LEG_PATHS = {
    "dhcp": "dhcp_legs",
    "static": "static_legs",
    "pppoe": "pppoe_legs",
    "mobilebroadband": "mobilebroadband_legs",
}


class Links:
    """Writes URLs by hand: a page of bonds holds a thousand of them, and `reverse` costs 10 µs."""

    __slots__ = ("root",)

    def __init__(self, root: str = API_V3) -> None:
        self.root = root

    def to(self, path: str, key: int | None = None) -> str:
        """Return the address of a collection, or of the object `key` in it."""
        return f"{self.root}{path}/" if key is None else f"{self.root}{path}/{key}/"

    def or_null(self, path: str, key: int | None) -> str | None:
        """Return the address of the object `key`, or None where there is none."""
        return None if key is None else f"{self.root}{path}/{key}/"

    def bond(self, bond_id: int, path: str, key: int) -> str:
        """Return the address of an object below a bond."""
        return f"{self.root}bonds/{bond_id}/{path}/{key}/"

    def leg(self, bond_id: int, leg_type: str, leg_id: int) -> str:
        """Return the type-specific address of a leg, wherever it is shown."""
        return f"{self.root}bonds/{bond_id}/{LEG_PATHS[leg_type]}/{leg_id}/"


def links_for(request: Request) -> Links:
    plain = request._request
    return Links(f"{plain.scheme}://{plain.get_host()}{API_V3}")
