"""The closed sets that both server and nodes know (behaviour 3.1, 3.2; api-v3 03-legs 1, 4)."""

from enum import StrEnum


class NodeKind(StrEnum):
    AGGREGATOR = "aggregator"
    BONDER = "bonder"


class LegType(StrEnum):
    DHCP = "dhcp"
    STATIC = "static"
    PPPOE = "pppoe"
    MOBILEBROADBAND = "mobilebroadband"


class LinkMode(StrEnum):
    OFFLINE = "offline"
    IDLE = "idle"
    ACTIVE = "active"


class ShownState(StrEnum):
    """The state of a leg as one end, or both combined, show it."""

    DOWN = "down"
    REMOVED = "removed"
    HANDSHAKING = "handshaking"
    TESTING = "testing"
    UNHEALTHY = "unhealthy"
    ADJUSTED = "adjusted"
    FAILOVER = "failover"
    IDLE = "idle"
    UP = "up"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class RefusalReason(StrEnum):
    """Why a node refused a config before touching anything (behaviour 1.8, step 1)."""

    CORRUPT = "corrupt"
    NOT_MINE = "not_mine"
    SCHEMA = "schema"
    STALE = "stale"
    IMPLAUSIBLE = "implausible"


class RollbackReason(StrEnum):
    """Why a node went back to its last-good config (behaviour 1.8, step 5)."""

    TUNNEL_DOWN = "tunnel_down"
    SERVER_UNREACHABLE = "server_unreachable"
    APPLY_FAILED = "apply_failed"


class Security(StrEnum):
    NONE = "none"
    HMAC = "hmac"
    ENCRYPTION = "encryption"


class Cipher(StrEnum):
    AES128 = "aes128"
    AES256 = "aes256"


class Distribution(StrEnum):
    IDMPQ = "idmpq"
    WEIGHTED_ROUND_ROBIN = "weighted_round_robin"


class MtuMethod(StrEnum):
    MEASURED = "measured"
    OVERRIDE = "override"
    ASSUMED = "assumed"
