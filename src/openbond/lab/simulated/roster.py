"""Who the simulated nodes are, handed from the child that made them to those that play them."""

import hashlib
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from openbond.wire.states import NodeKind


class Member(Struct, frozen=True):
    """One node, and what it has stored: its config, and which legs of which bonds are in it.

    `taken`: the highest report number that the server has of it.
    """

    node_id: int
    kind: NodeKind
    taken: int
    revision: int
    hash: str
    legs: list[tuple[int, int]]  # bond id, leg id


class Roster(Struct, frozen=True, kw_only=True):
    """A fleet that is enrolled. `seed`: what all keys stem from, in hex; `token`: of the API."""

    seed: str
    token: str
    bond_ids: list[int]
    members: list[Member]

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_bytes(msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> "Roster":
        return msgspec.json.decode(path.read_bytes(), type=cls)


def identity_of(seed: str, node_id: int) -> Ed25519PrivateKey:
    """Return the key of a simulated node: always the same, so that no key need be stored."""
    return Ed25519PrivateKey.from_private_bytes(_derived(seed, node_id, "identity"))


def tunnel_key_of(seed: str, node_id: int) -> bytes:
    """Return the 32 bytes that stand for a simulated node's tunnel key; no tunnel uses them."""
    return _derived(seed, node_id, "tunnel")


def _derived(seed: str, node_id: int, use: str) -> bytes:
    return hashlib.sha256(f"{seed} {use} {node_id}".encode()).digest()
