import base64

import msgspec
import pytest

from openbond.server.control.delivery import Asked, begin_polls
from openbond.server.control.refusals import ChannelRefusal
from openbond.server.control.signed_requests import read_signed_request
from openbond.wire.exchange import (
    HEADER_NODE,
    HEADER_NUMBER,
    HEADER_SIGNATURE,
    POLL,
    REPORT,
    ErrorCode,
    PollRequest,
)

from .conftest import Fleet, expected
from .machine import VERSION, Machine

HAS_NOTHING = PollRequest(revision=0, hash="", software_version=VERSION)
BODY = msgspec.json.encode(HAS_NOTHING)


@pytest.fixture
def bonder(fleet: Fleet) -> Machine:
    machine = Machine()
    fleet.enrol(fleet.bond.bonder, machine)
    return machine


def send(
    fleet: Fleet, headers: dict[str, str], *, target: str = POLL, body: bytes = BODY
) -> ErrorCode | None:
    """Return why the server refuses, None when it does not."""
    lower = {name.lower(): text for name, text in headers.items()}
    try:
        request = read_signed_request(method="POST", target=target, headers=lower, body=body)
        expected(*begin_polls([Asked(request, HAS_NOTHING)], now=fleet.now))
    except ChannelRefusal as refusal:
        return ErrorCode(refusal.answer.code)
    return None


def test_a_signed_request_is_let_in(fleet: Fleet, bonder: Machine) -> None:
    assert send(fleet, bonder.headers(POLL, BODY)) is None


def test_a_recorded_request_is_refused_and_told_the_highest_number(
    fleet: Fleet, bonder: Machine
) -> None:
    headers = bonder.headers(POLL, BODY, number=7)
    send(fleet, headers)

    assert send(fleet, headers) is ErrorCode.REPLAYED_NUMBER
    with pytest.raises(ChannelRefusal) as refused:
        fleet.poll(bonder)  # its own count stands at 1
    assert refused.value.answer.number == 7


def test_numbers_rise_by_exchange(fleet: Fleet, bonder: Machine) -> None:
    send(fleet, bonder.headers(POLL, BODY, number=7))

    answer = fleet.report(bonder)

    assert bonder.numbers[REPORT] == 1
    assert answer.taken == 0


def test_a_refused_signature_uses_up_no_number(fleet: Fleet, bonder: Machine) -> None:
    headers = bonder.headers(POLL, BODY, number=9)
    send(fleet, {**headers, HEADER_NUMBER: "99"})

    assert send(fleet, headers) is None


def changed(bonder: Machine, what: str) -> tuple[dict[str, str], str, bytes]:
    headers = bonder.headers(POLL, BODY)
    match what:
        case "body":
            return headers, POLL, BODY.replace(b"0", b"1", 1)
        case "target":
            return headers, REPORT, BODY
        case "number":
            return {**headers, HEADER_NUMBER: "99"}, POLL, BODY
        case "signature":
            return {**headers, HEADER_SIGNATURE: base64.b64encode(bytes(64)).decode()}, POLL, BODY
        case _:
            return {**headers, HEADER_SIGNATURE: "%%%"}, POLL, BODY


@pytest.mark.parametrize("what", ["body", "target", "number", "signature", "rubbish"])
def test_whatever_is_changed_the_signature_no_longer_holds(
    fleet: Fleet, bonder: Machine, what: str
) -> None:
    headers, target, body = changed(bonder, what)

    assert send(fleet, headers, target=target, body=body) is ErrorCode.BAD_SIGNATURE


def test_another_nodes_key_is_no_good(fleet: Fleet, bonder: Machine) -> None:
    stranger = Machine("stranger")
    fleet.enrol(fleet.agg_1, stranger)
    stranger.node_id = bonder.node_id

    assert send(fleet, stranger.headers(POLL, BODY)) is ErrorCode.BAD_SIGNATURE


def test_a_node_that_never_enrolled_is_told_to(fleet: Fleet) -> None:
    machine = Machine(node_id=fleet.agg_2.pk)

    assert send(fleet, machine.headers(POLL, BODY)) is ErrorCode.NOT_ENROLLED


@pytest.mark.parametrize("name", [HEADER_NODE, HEADER_NUMBER])
@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "ten", "9" * 19, "0" * 40 + "1", "¼"])
def test_numbers_in_headers_that_are_none_are_refused(
    fleet: Fleet, bonder: Machine, name: str, text: str
) -> None:
    headers = {**bonder.headers(POLL, BODY), name: text}

    assert send(fleet, headers) is ErrorCode.BAD_REQUEST
