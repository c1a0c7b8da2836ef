"""How the server checks an aggregator: one question and one answer over TLS (behaviour 6.1).

The server connects to TCP PORT of the aggregator. Both ends show certificates of the private CA:
the aggregator its own, the server the one of the key that signs configs. Each message is one line
of JSON; after the answer the aggregator closes.
"""

import msgspec
from msgspec import Struct

PORT = 8005
LONGEST_LINE = 4096  # bytes, newline included


class CheckQuestion(Struct, frozen=True, kw_only=True):
    """`within_ms`: how long the server waits for the whole answer."""

    within_ms: int


class CheckAnswer(Struct, frozen=True, kw_only=True):
    """Which node this is, how many bonds its config holds, and how many of them it serves."""

    node_id: int
    bonds: int
    served: int


def node_name(node_id: int) -> str:
    """Return the name (a URI) under which a node's certificate names it."""
    return f"urn:openbond:node:{node_id}"


def encode_line(message: CheckQuestion | CheckAnswer) -> bytes:
    """Return one message as it travels, its newline included."""
    return msgspec.json.encode(message) + b"\n"


def decode_question(line: bytes) -> CheckQuestion:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=CheckQuestion)


def decode_answer(line: bytes) -> CheckAnswer:
    """Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=CheckAnswer)
