"""pppd's options for a PPPoE leg, and how their words are quoted (pppd(8), RFC 2516). Pure."""

from openbond.wire.config import LegConfig, PppoeAccess

from .lines import leg_mtu_most
from .numbers import ppp_device_of

ECHO_EVERY_S, ECHO_FAILURES = 10, 3
# Written by hand in the file: other control characters as octal.
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def pppd_options(leg: LegConfig, hook: str, line_file: str) -> bytes:
    """Return the options file of one leg; it holds the password.

    `hook` is started when the line is up or down, and puts what it learnt into `line_file`.
    """
    access = leg.access
    assert isinstance(access, PppoeAccess)  # noqa: S101 - the caller asks of PPPoE legs only
    mtu = leg_mtu_most(leg)
    service = [f"pppoe-service {quoted(access.service_name)}"] if access.service_name else []
    lines = [
        "plugin pppoe.so",
        *service,
        f"nic-{leg.interface}",
        f"ifname {ppp_device_of(leg.id)}",
        f"user {quoted(access.username)}",
        f"password {quoted(access.password)}",
        "hide-password",
        # We say who we are; the provider need not.
        "noauth",
        f"mtu {mtu}",
        f"mru {mtu}",
        f"lcp-echo-interval {ECHO_EVERY_S}",
        f"lcp-echo-failure {ECHO_FAILURES}",
        # Redialling is the dialer's work, routes are the agent's.
        "nodetach",
        "nopersist",
        "maxfail 1",
        "noipdefault",
        "nodefaultroute",
        "noproxyarp",
        "noipv6",
        "noccp",
        f"ip-up-script {quoted(hook)}",
        f"ip-down-script {quoted(hook)}",
        f"ipparam {quoted(line_file)}",
    ]
    return ("\n".join(lines) + "\n").encode()


def quoted(text: str) -> str:
    """Return a word as pppd reads it back: quotes, backslashes, blanks and `#` are the user's."""
    return f'"{"".join(_escaped(letter) for letter in text)}"'


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    return f"\\{ord(letter):03o}" if ord(letter) < 32 else letter
