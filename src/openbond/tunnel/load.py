"""How much a leg is given to carry: bit/s over about a second."""

WINDOW = 1.0


class LoadMeter:
    """Octets of outer packets of data, counted in windows of one second."""

    def __init__(self) -> None:
        self._began_at = 0.0
        self._octets = 0
        self._last_bps = 0.0

    def on_sent(self, octets: int, now: float) -> None:
        self._turn(now)
        self._octets += octets

    def bps(self, now: float) -> float:
        """Return the rate of the last whole window."""
        self._turn(now)
        return self._last_bps

    def _turn(self, now: float) -> None:
        elapsed = now - self._began_at
        if elapsed < WINDOW:
            return
        self._last_bps = self._octets * 8 / elapsed if elapsed < 2 * WINDOW else 0.0
        self._began_at, self._octets = now, 0
