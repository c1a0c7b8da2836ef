"""The settings that the agent gives, as the tunnel wants them: other units, keys as bytes."""

from base64 import b64decode
from binascii import Error as Base64Error
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from openbond.node.daemon_messages import (
    SCHEMA,
    DaemonSettings,
    decode_settings,
    settings_path,
)
from openbond.node.errors import NodeError, NotPrivileged, SchemaUnknown
from openbond.node.plan.lines import leg_mtu_most
from openbond.tunnel.settings import (
    BondSettings,
    Cipher,
    Distribution,
    LegSettings,
    LinkMode,
    Qos,
    Role,
    Security,
)
from openbond.wire.config import BondConfig, LegConfig
from openbond.wire.states import NodeKind

from .qos import tunnel_qos

ASSUMED_MTU = 1500
_SECURITY = {"none": Security.NONE, "hmac": Security.HMAC, "encryption": Security.ENCRYPTION}
_CIPHER = {"aes128": Cipher.AES128, "aes256": Cipher.AES256}


def read_settings(root: Path, bond_id: int) -> DaemonSettings:
    """Return what the agent wrote for this bond. Raises NodeError."""
    path = settings_path(root, bond_id)
    try:
        settings = decode_settings(path.read_bytes())
    except FileNotFoundError as missing:
        raise NodeError(
            f"Bond {bond_id} has no settings at {path}: the agent writes them; "
            "start `openbond node agent`, or check the bond's id."
        ) from missing
    except PermissionError as refused:
        raise NotPrivileged(f"{path} may not be read: run the tunnel daemon as root.") from refused
    except (msgspec.DecodeError, OSError) as damage:
        raise NodeError(f"{path} cannot be read ({damage}): restart the agent.") from damage
    check_settings(settings, bond_id)
    return settings


def check_settings(settings: DaemonSettings, bond_id: int) -> None:
    """Raises NodeError when the settings are not for this daemon."""
    if settings.schema > SCHEMA:
        raise SchemaUnknown(
            f"The settings of bond {bond_id} have schema {settings.schema}, this daemon knows "
            f"{SCHEMA}: install the same version of agent and daemon."
        )
    if settings.bond.id != bond_id:
        raise NodeError(f"The settings are for bond {settings.bond.id}, not for bond {bond_id}.")


def read_private_key(path: Path) -> bytes:
    """Return the 32 bytes of an X25519 key, from PEM, base64 or raw bytes. Raises NodeError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as missing:
        raise NodeError(f"The tunnel key {path} is missing: enrol this node.") from missing
    except OSError as refused:
        raise NotPrivileged(f"The tunnel key {path} may not be read: run as root.") from refused
    try:
        raw = _key_in(content)
        # Used once while we may still read everything: the library loads parts of itself late.
        X25519PrivateKey.from_private_bytes(raw)
        return raw
    except ValueError as damage:
        raise NodeError(f"{path} holds no X25519 key ({damage}): enrol this node anew.") from damage


def _key_in(content: bytes) -> bytes:
    if content.lstrip().startswith(b"-----BEGIN"):
        key = load_pem_private_key(content, password=None)
        if not isinstance(key, X25519PrivateKey):
            raise ValueError("another kind of key")
        return key.private_bytes_raw()
    raw = content if len(content) == 32 else _from_base64(content.decode(errors="replace"))
    if len(raw) != 32:
        raise ValueError("not 32 bytes")
    return raw


def bond_settings(settings: DaemonSettings, private_key: bytes) -> BondSettings:
    """Return the tunnel's view. Raises NodeError naming the field that makes no sense."""
    bond = settings.bond
    is_bonder = settings.role is NodeKind.BONDER
    return BondSettings(
        id=bond.id,
        role=Role.BONDER if is_bonder else Role.AGGREGATOR,
        private_key=private_key,
        peer_public_key=_key(bond, "peer_public_key", bond.peer_public_key, may_be_empty=True),
        secret=_key(bond, "secret", bond.secret, may_be_empty=False),
        security=_SECURITY[bond.security],
        cipher=_CIPHER[bond.cipher],
        handshake_interval=bond.handshake_interval_ms / 1000,
        compression=bond.compression,
        distribution=Distribution(bond.packet_distribution.value),
        reorder_max_hold=bond.reorder_max_hold_ms / 1000,
        flow_collision_detection=bond.flow_collision_detection,
        automatic_ping_timing=bond.automatic_ping_timing,
        ping_interval=bond.ping_interval_ms / 1000,
        ping_timeout=bond.ping_timeout_ms / 1000,
        bandwidth_adaptation=bond.bandwidth_adaptation,
        packet_loss_detection=bond.packet_loss_detection,
        packet_loss_threshold=bond.packet_loss_threshold_permille / 1000,
        flap_detection=bond.flap_detection,
        flap_threshold=bond.flap_threshold,
        flap_window=bond.flap_window_ms / 1000,
        qos=tunnel_qos(settings.qos) if settings.qos else Qos(),
        legs=tuple(_leg_settings(leg, is_bonder=is_bonder) for leg in bond.legs),
    )


def _leg_settings(leg: LegConfig, *, is_bonder: bool) -> LegSettings:
    up, down = leg.up_kbps * 1000.0, leg.down_kbps * 1000.0
    return LegSettings(
        id=leg.id,
        mode=LinkMode(leg.link_mode.value),
        failover=leg.failover,
        send_bps=up if is_bonder else down,
        receive_bps=down if is_bonder else up,
        path_mtu_ceiling=leg_mtu_most(leg) or ASSUMED_MTU,
    )


def _key(bond: BondConfig, field: str, text: str, *, may_be_empty: bool) -> bytes:
    if not text and may_be_empty:
        return b""
    try:
        key = _from_base64(text)
    except ValueError as damage:
        raise NodeError(f"Bond {bond.id}: {field} is no base64 text ({damage}).") from damage
    if len(key) != 32:
        raise NodeError(f"Bond {bond.id}: {field} has {len(key)} bytes, 32 are needed.")
    return key


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text.strip(), validate=True)
    except Base64Error as damage:
        raise ValueError(str(damage)) from damage
