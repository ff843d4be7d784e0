"""The agent's clock: the gateway is right, and a step of the machine's own clock changes nothing."""

import time
from collections.abc import Callable

TRUSTED_MS = 1000
"""A machine's clock that agrees this well with the gateway's is left alone: it may well be the better one."""


class Clock:
    """Milliseconds since the epoch, running on the monotonic clock since the last `correct`."""

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._set(wall() * 1000)

    def now_ms(self) -> int:
        """The time."""
        return int(self._base_ms + (self._monotonic() - self._since) * 1000)

    def correct(self, gateway_ms: int) -> int:
        """Take the gateway's time; returns how many milliseconds the machine's clock was ahead of it."""
        ahead_ms = round(self._wall() * 1000 - gateway_ms)
        self._set(self._wall() * 1000 if abs(ahead_ms) <= TRUSTED_MS else gateway_ms)
        return ahead_ms

    def _set(self, now_ms: float) -> None:
        self._base_ms = now_ms
        self._since = self._monotonic()
