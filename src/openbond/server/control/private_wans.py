"""Compiles private WANs: which network is behind which bond at which aggregator (§5.8). Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from openbond.server.bonds.models import ConnectedIP, Route
from openbond.server.fleet.models import Trunk
from openbond.server.spaces.models import Space
from openbond.wire.config import PrivateNetworkConfig, PrivateWanConfig, TrunkConfig

from .routed import private_networks_of

# Trunks have the last of the tunnel networks, 240.0.0.0/4; bonds begin with the first.
TRUNK_ADDRESSES = int(IPv4Address("255.254.0.0"))


@dataclass(frozen=True, slots=True)
class Member:
    """A bond of a space, and the aggregator it is on now."""

    bond_id: int
    node_id: int
    connected_ips: list[ConnectedIP]
    routes: list[Route]


@dataclass(frozen=True, slots=True)
class SpaceRows:
    space: Space
    members: list[Member] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TrunkRows:
    """A trunk with the addresses and tunnel keys of aggregators, by id."""

    trunk: Trunk
    addresses: Mapping[int, str]
    keys: Mapping[int, bytes]

    @property
    def ends(self) -> tuple[int, int]:
        return self.trunk.first_id, self.trunk.second_id

    def other_than(self, node_id: int) -> int:
        first, second = self.ends
        return second if node_id == first else first


@dataclass(frozen=True, slots=True)
class WanRows:
    """What one aggregator must know of private WANs."""

    spaces: list[SpaceRows] = field(default_factory=list)
    trunks: list[TrunkRows] = field(default_factory=list)


NO_WANS = WanRows()


def compile_private_wan(rows: SpaceRows, *, node_id: int) -> PrivateWanConfig:
    """Return a space's private WAN as one aggregator must know it.

    Of equal networks on two bonds the bond with the lower id has it; the other one is shadowed.
    """
    networks: dict[str, PrivateNetworkConfig] = {}
    shadowed: list[PrivateNetworkConfig] = []
    for member in rows.members:
        for network in private_networks_of(member.connected_ips, member.routes):
            found = PrivateNetworkConfig(
                network=network, bond_id=member.bond_id, node_id=member.node_id
            )
            if network not in networks:
                networks[network] = found
            elif member.node_id == node_id:
                shadowed.append(found)
    return PrivateWanConfig(
        space_id=rows.space.pk,
        space_key=rows.space.key,
        node_id=node_id,
        networks=list(networks.values()),
        shadowed=shadowed,
    )


def compile_trunk(rows: TrunkRows, *, node_id: int) -> TrunkConfig:
    """Return one end of a trunk."""
    trunk, other = rows.trunk, rows.other_than(node_id)
    return TrunkConfig(
        id=trunk.pk,
        node_id=other,
        subnet=f"{IPv4Address(TRUNK_ADDRESSES + 2 * trunk.pk)}/31",
        dials=node_id == trunk.second_id,
        own_ip=rows.addresses[node_id],
        peer_ip=rows.addresses[other],
        port=trunk.port,
        peer_public_key=base64.b64encode(rows.keys.get(other, b"")).decode(),
        secret=trunk.secret,
    )
