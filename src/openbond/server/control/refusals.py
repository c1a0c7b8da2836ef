"""What the channel answers when it refuses: code, words and HTTP status, on one page."""

from openbond.wire.exchange import ErrorAnswer, ErrorCode

STATUSES = {
    ErrorCode.UNKNOWN_KEY: 403,
    ErrorCode.SLOW_DOWN: 429,
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.BAD_SIGNATURE: 401,
    ErrorCode.REPLAYED_NUMBER: 409,
    ErrorCode.NOT_ENROLLED: 401,
    ErrorCode.CERTIFICATE_EXPIRED: 401,
    ErrorCode.SUPERSEDED: 403,
    ErrorCode.UNKNOWN_NODE: 404,
    ErrorCode.UNAVAILABLE: 503,
}


class ChannelRefusal(Exception):
    """An exchange that is refused. `number`: see wire.exchange.ErrorAnswer."""

    def __init__(self, code: ErrorCode, detail: str, *, number: int = 0) -> None:
        super().__init__(detail)
        self.answer = ErrorAnswer(code=code, detail=detail, number=number)
        self.status = STATUSES[code]


def superseded() -> ChannelRefusal:
    return ChannelRefusal(
        ErrorCode.SUPERSEDED,
        "Another machine enrolled later with the same node key and is this node now. If this "
        "machine is the right one, enrol it again; else switch it off.",
    )


def unavailable() -> ChannelRefusal:
    return ChannelRefusal(ErrorCode.UNAVAILABLE, "The server cannot answer now. Try again later.")
