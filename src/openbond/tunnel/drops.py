"""Why a datagram was dropped: the names under which drops are counted (behaviour 2.16)."""

from enum import StrEnum


class Drop(StrEnum):
    SHORT = "short"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_SESSION = "unknown_session"
    BAD_TAG = "bad_tag"
    REPLAYED = "replayed"
    MALFORMED = "malformed"  # authentic, yet makes no sense: a peer's error
    NOT_EXPANDED = "not_expanded"  # compressed, and no whole packet comes of it
    FOREIGN_VERSION = "foreign_version"
    BAD_MAC = "bad_mac"  # a handshake message from somebody who does not know our key
    BAD_HANDSHAKE = "bad_handshake"  # from nobody we have a session with, or for another leg
    OLD_HANDSHAKE = "old_handshake"  # its number is not newer than the newest seen
    WEAK_HANDSHAKE = "weak_handshake"  # would make a weaker session than ours asks for
    UNASKED = "unasked"  # a response or cookie that answers nothing we sent
    OVERLOAD = "overload"  # answered with a cookie instead
