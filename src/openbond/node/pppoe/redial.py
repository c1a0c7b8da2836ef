"""When a PPPoE line is dialled again, and what pppd's exit code means (pppd(8)). Pure."""

from dataclasses import dataclass

FIRST_S, MOST_S = 1.0, 60.0
# A session that lasted this long had a good start: its end is a first failure.
STEADY_S = 60.0
LEAST_FACTOR, MOST_FACTOR = 0.5, 1.0

_WORDS = {
    0: "the provider ended the session",
    1: "pppd failed at once (an error of the system): its log says more",
    2: "pppd does not take its options: is {interface} there, and ppp 2.4.9 or newer installed?",
    3: "pppd may not do its work: run the supervisor as root",
    4: "the kernel has no PPP: load the modules with `modprobe pppoe`",
    5: "the session was ended by a signal",
    8: "nobody answers PPPoE on {interface}: check the cable and the modem, and the service name",
    10: "the provider and pppd did not agree on an address",
    11: "the provider refused to say who it is",
    15: "the provider does not answer any more (three echoes in 30 s)",
    16: "the provider hung up",
    19: "the provider refused the login: check username and password of this leg",
}
REFUSED_LOGIN = 19


@dataclass(frozen=True, slots=True)
class Redial:
    """Doubles from 1 s to 60 s, spread by dice; never gives up."""

    failures: int = 0

    def ended(self, *, lasted_s: float) -> "Redial":
        """Return what is so after a session, or an attempt, of this length."""
        return Redial(1 if lasted_s >= STEADY_S else self.failures + 1)

    def delay_s(self, dice: float) -> float:
        """Return seconds to wait; `dice` in [0, 1) keeps the lines of a street apart."""
        plain = min(FIRST_S * 2.0 ** min(max(self.failures - 1, 0), 20), MOST_S)
        return plain * (LEAST_FACTOR + dice * (MOST_FACTOR - LEAST_FACTOR))


def in_words(code: int, interface: str) -> str:
    """Return why there is no session. Below 0: the signal that ended pppd."""
    if code < 0:
        return f"pppd was killed by signal {-code}"
    unknown = f"pppd ended with exit code {code}"
    return _WORDS.get(code, unknown).format(interface=interface)
