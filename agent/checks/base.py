"""What checks have in common: their results, and rates made from counters."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

Value = int | float | str
COUNTER_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found out about one instance: `rates` names the metrics made from counters, per second."""

    key: str = ""
    status: str = ""
    metrics: dict[str, Value] = field(default_factory=dict)
    rates: list[str] = field(default_factory=list)
    state: str = "ok"

    def as_json(self, check: str) -> dict[str, Any]:
        """Its form within a frame; values that are not finite are left out."""
        metrics = {name: value for name, value in self.metrics.items() if _sound(value)}
        found = {"check": check, "key": self.key, "state": self.state, "status": self.status}
        return {**found, "metrics": metrics, "rates": [name for name in self.rates if name in metrics]}


class Check(Protocol):
    """One check. A check of counters returns nothing the first time: it has no rates yet."""

    def sample(self) -> list[Result]:
        """Measure now; may raise anything, which becomes an error result. Called in a thread."""


class Rates:
    """Rates per second from ever-growing counters; none for a new counter or one that was reset."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = 0.0
        self._last: dict[str, int] = {}

    def update(self, counters: Mapping[str, int]) -> dict[str, Value]:
        """The rates since the last call."""
        now = self._clock()
        passed, last = now - self._at, self._last
        self._at, self._last = now, dict(counters)
        return {
            name: round((value - last[name]) / passed, COUNTER_DIGITS)
            for name, value in counters.items()
            if passed > 0 and value >= last.get(name, value + 1)
        }


def in_units(count: float) -> str:
    """A number of bytes for people: `3.87 GB`, `0.00  B`."""
    for unit in (" B", "KB", "MB", "GB", "TB"):
        if abs(count) < 1024 or unit == "TB":
            break
        count /= 1024
    return f"{count:.2f} {unit}"


def chosen(key: str, params: Mapping[str, Any], name: str) -> list[str]:
    """The instances that an assignment names, by its key or its parameter; empty stands for all."""
    value = params.get(name) or []
    return [key] if key else [value] if isinstance(value, str) else list(value)


def _sound(value: Value) -> bool:
    return not isinstance(value, float) or math.isfinite(value)
