"""Which endpoint of an interface a call tries, in which order and for how long: for both kinds of clients.

An endpoint that fails (refuses, breaks, or is silent for as long as it was given) rests, longer with each
failure, and by chance up to half of that less, so that callers do not come back in step. Those that do not
rest are tried first, beginning with the one that answered last; each may take its share of what is left of
the deadline. Those that rest are tried at last, for PROBE_S at most: with every endpoint gone a call fails
fast, rather than keep its thread waiting for the deadline, and yet the first call after a restart succeeds.
When a rest is over, one call at a time finds out whether the endpoint is well.
"""

import random
from collections.abc import Callable, Iterator, Sequence

from twisted.logger import Logger

RESTS_S = (0.5, 1.0, 2.0, 5.0, 15.0)
PROBE_S = 1.0

Endpoints = Sequence[tuple[str, int]]
"""(host, port) of every process that serves the interface."""

_log = Logger(namespace="rpc")


class Rotation:
    """What is known of an interface's endpoints; `clock` in seconds. Threads may share one."""

    def __init__(self, interface: str, endpoints: Endpoints, clock: Callable[[], float]) -> None:
        self.endpoints = list(endpoints)
        self._interface = interface
        self._clock = clock
        self._preferred = 0
        self._failures = [0] * len(self.endpoints)
        self._rests_until = [0.0] * len(self.endpoints)

    def attempts(self, until: float) -> Iterator[tuple[int, float]]:
        """(index, seconds that it may take) of each endpoint to try, until one is enough or time is up."""
        order = self._order()
        for tried, index in enumerate(order):
            left_s = until - self._clock()
            if left_s <= 0:
                return
            timeout_s = left_s / (len(order) - tried)
            if self._rests(index):
                timeout_s = min(timeout_s, PROBE_S)
            elif self._failures[index]:
                self._rests_until[index] = self._clock() + timeout_s  # For all others, while this one asks.
            yield index, timeout_s

    def answered(self, index: int) -> None:
        """It is well, and will be asked first."""
        self._preferred = index
        if self._failures[index]:
            self._failures[index], self._rests_until[index] = 0, 0.0
            _log.info("{where} answers again", where=self.where(index))

    def failed(self, index: int, error: Exception) -> None:
        """It did not answer."""
        if not self._failures[index]:
            _log.warn("{where} does not answer: {error}", where=self.where(index), error=error)
        rest_s = RESTS_S[min(self._failures[index], len(RESTS_S) - 1)]
        self._failures[index] += 1
        self._rests_until[index] = self._clock() + rest_s * random.uniform(0.5, 1)  # noqa: S311

    def where(self, index: int) -> str:
        """Such as `TimeSeries at 127.0.0.1:4172`."""
        host, port = self.endpoints[index]
        return f"{self._interface} at {host}:{port}"

    def _order(self) -> list[int]:
        count = len(self.endpoints)
        from_preferred = [(self._preferred + turn) % count for turn in range(count)]
        return sorted(from_preferred, key=lambda index: self._rests_until[index] if self._rests(index) else 0)

    def _rests(self, index: int) -> bool:
        return self._clock() < self._rests_until[index]
