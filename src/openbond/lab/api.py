"""Speak to the lab's server as any operator would: REST API v3, HTTP Basic, the CA checked."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx
import msgspec
from msgspec import Struct

from .errors import LabError

T = TypeVar("T")
PATIENCE = 15.0


class LegView(Struct, frozen=True, kw_only=True):
    """What `/bonds/X/legs/` shows of a leg, as far as the lab looks at it. Speeds in Mbit/s."""

    id: int
    url: str
    type: str
    interface: str | None
    link_mode: str
    state: str
    bonder_state: str
    aggregator_state: str
    ip: str | None
    down_speed: float
    up_speed: float
    mtu: int
    tunnel_port: int


class BonderView(Struct, frozen=True, kw_only=True):
    id: int
    url: str
    name: str
    key: str
    status: str


class ConnectedIpView(Struct, frozen=True, kw_only=True):
    id: int
    url: str
    interface: str
    network: str
    enabled: bool


class BondView(Struct, frozen=True, kw_only=True):
    """Rates in bit/s."""

    id: int
    url: str
    name: str
    status: str
    bonder: BonderView
    current_aggregator: str
    tunnel_bonder_ip: str
    tunnel_aggregator_ip: str
    leg_list: list[LegView]
    connectedips: list[ConnectedIpView]
    download_rate: int
    upload_rate: int


class NodeView(Struct, frozen=True, kw_only=True):
    id: int
    url: str
    name: str
    key: str
    status: str


class ConfigUpdateCounts(Struct, frozen=True, kw_only=True):
    """`/system/status/configupdates/`: the outbox, by status."""

    count: int
    failures: int
    status: dict[str, int]


class ApiRefused(LabError):
    """The server answered with an error; `status` is its HTTP code."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class ApiClient:
    """A client of one server, through the lab's Unix socket or any URL the machine can reach."""

    def __init__(
        self, url: str, *, email: str, password: str, ca: Path, socket: Path | None = None
    ) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        transport = httpx.HTTPTransport(verify=context, uds=str(socket) if socket else None)
        self._client = httpx.Client(
            base_url=url, auth=(email, password), transport=transport, timeout=PATIENCE
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def get(self, path: str, kind: type[T]) -> T:
        """Return the object at `path` (or a full URL). Raises ApiRefused, LabError."""
        return _decode(self._ask("GET", path), kind)

    def post(self, path: str, fields: Mapping[str, object], kind: type[T]) -> T:
        """Create an object or start an action. Raises ApiRefused, LabError."""
        return _decode(self._ask("POST", path, fields), kind)

    def patch(self, path: str, fields: Mapping[str, object], kind: type[T]) -> T:
        """Change fields of an object. Raises ApiRefused, LabError."""
        return _decode(self._ask("PATCH", path, fields), kind)

    def delete(self, path: str) -> None:
        """Delete an object. Raises ApiRefused, LabError."""
        self._ask("DELETE", path)

    def bond(self, bond_id: int) -> BondView:
        return self.get(f"/api/v3/bonds/{bond_id}/", BondView)

    def _ask(
        self, method: str, path: str, fields: Mapping[str, object] | None = None
    ) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=fields)
        except httpx.HTTPError as trouble:
            raise LabError(f"the server does not answer {method} {path}: {trouble}") from trouble
        if answer.is_error:
            raise ApiRefused(
                answer.status_code, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
            )
        return answer


def _decode(answer: httpx.Response, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.DecodeError as trouble:
        raise LabError(f"{answer.url} answered what the lab cannot read: {trouble}") from trouble
