"""What agent and daemon say to each other survives the line, and strangers' words are refused."""

import msgspec
import pytest

from openbond.node.daemon_messages import (
    DaemonEvent,
    DetectMtu,
    Done,
    LegDown,
    LegStateMoved,
    LegStatus,
    Line,
    Ping,
    Refused,
    Reload,
    Request,
    StatusAnswer,
    Warned,
    decode_line,
    decode_request,
    encode_line,
)
from openbond.wire.states import ShownState

LEG = LegStatus(leg_id=3, state=ShownState.UP, path_mtu=1500, path_mtu_measured=True, rtt_us=900)


@pytest.mark.parametrize(
    "request_", [Ping(), Reload(), DetectMtu(leg_ids=[3]), LegDown(leg_id=1, why="x")]
)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    line = encode_line(request_)

    assert line.count(b"\n") == 1
    assert decode_request(line) == request_


@pytest.mark.parametrize(
    "said",
    [
        Done(),
        Refused(why="no"),
        StatusAnswer(bond_id=7, pid=1, started_at_ms=5, inner_mtu=1436, legs=[LEG]),
        LegStateMoved(leg_id=3, old=ShownState.UP, new=ShownState.DOWN, signal="SILENT", at_ms=9),
        Warned(about="leg 3", text="", at_ms=9),
    ],
)
def test_an_answer_or_event_arrives_as_it_was_sent(said: Line | DaemonEvent) -> None:
    assert decode_line(encode_line(said)) == said


@pytest.mark.parametrize("line", [b"", b"{}", b'{"type":"rm"}', b'{"type":"leg_down"}', b"\xff"])
def test_what_is_no_request_is_refused_with_words(line: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_request(line)


def test_words_of_a_newer_version_are_passed_over() -> None:
    assert decode_request(b'{"type":"ping","patience":5}') == Ping()
