"""Acknowledging many deliveries of one channel by few frames."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from eventframework.clock import Clock


class Acks:
    """Acknowledges, at the end of each turn of the reactor, what was settled in it.

    `send(tag, multiple)` acknowledges one delivery, or all up to it: done where none of them is open.
    """

    def __init__(self, clock: Clock, send: Callable[[int, bool], None]) -> None:
        self._clock = clock
        self._send = send
        self._open: dict[int, None] = {}
        self._settled: list[int] = []
        self._timer: Any = None

    def delivered(self, tag: int) -> None:
        """It has come, and is to be settled."""
        self._open[tag] = None

    def settle(self, tag: int) -> None:
        """It will be acknowledged in a moment."""
        del self._open[tag]
        self._settled.append(tag)
        if self._timer is None:
            self._timer = self._clock.callLater(0, self._turn)

    def flush(self) -> None:
        """Acknowledge what is settled, now."""
        settled, self._settled = sorted(self._settled), []
        together = bisect_left(settled, next(iter(self._open))) if self._open else len(settled)
        if together:
            self._send(settled[together - 1], True)
        for tag in settled[together:]:
            self._send(tag, False)

    def _turn(self) -> None:
        self._timer = None
        self.flush()
