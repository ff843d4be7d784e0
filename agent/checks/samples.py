"""The previous sample of every counter: what turns counters into rates."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Sample(NamedTuple):
    """Counters at one moment, in seconds of the clock that is used."""

    at: float
    counters: Mapping[str, float]


class Samples:
    """Remembers the last sample of each check and instance."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[tuple[str, str], Sample] = {}

    def exchange(self, check: str, key: str, counters: Mapping[str, float]) -> tuple[Sample | None, Sample]:
        """Remember these counters; the sample before them, if there is one, and theirs."""
        sample = Sample(self._clock(), counters)
        previous = self._last.get((check, key))
        self._last[check, key] = sample
        return previous, sample

    def rates(self, check: str, key: str, counters: Mapping[str, float]) -> dict[str, float]:
        """Per second since the sample before; a counter that is new, or went back (a reset), has none."""
        previous, sample = self.exchange(check, key, counters)
        if previous is None or sample.at <= previous.at:
            return {}
        elapsed_s = sample.at - previous.at
        before = previous.counters
        return {
            name: round((count - before[name]) / elapsed_s, 3)
            for name, count in counters.items()
            if count >= before.get(name, float("inf"))
        }
