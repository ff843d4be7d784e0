"""The measures of one owner. Names are words joined by `_`, with their unit (`write_s`, `frames_bytes`)."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import isfinite
from time import monotonic
from typing import Literal, NamedTuple, ParamSpec, TypeVar

from twisted.logger import Logger

from statslib.measures import Average, Operation
from statslib.watch import timed, watched

P = ParamSpec("P")
R = TypeVar("R")
Kind = Literal["int", "float", "gauge"]


class Metric(NamedTuple):
    """One value as it is shown; `kind` is the check form's: a `gauge` only grows, and is shown as a rate."""

    name: str
    kind: Kind
    value: float


class Stats:
    """The measures of one owner, such as a service; not safe across threads, so use it in the reactor's.

    `clock` returns seconds that never go backwards.
    """

    _log = Logger()

    def __init__(self, name: str, clock: Callable[[], float] = monotonic) -> None:
        self.name = name
        self.counters: defaultdict[str, int] = defaultdict(int)
        self.averages: defaultdict[str, Average] = defaultdict(lambda: Average(clock))
        self.operations: defaultdict[str, Operation] = defaultdict(Operation)
        self.unready: str = ""
        """Why this owner cannot serve at the moment; empty when it can."""
        self._clock = clock
        self._gauges: dict[str, Callable[[], float]] = {}

    def increment(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] += by

    def add_average(self, name: str, value: float) -> None:
        """Add a value to an average; it shows as NAME_count, _last, _avg, _min, _max, _p50, _p95, _p99."""
        self.averages[name].add(value)

    def operation(self, name: str) -> Operation:
        """The operation of this name: `with stats.operation("write"):`; shows _total, _pending, _failed."""
        return self.operations[name]

    def increase_operation(self, name: str) -> None:
        """One operation of this name begins; the other half is `decrease_operation`."""
        self.operations[name].begin()

    def decrease_operation(self, name: str, *, failed: bool = False) -> None:
        """One that began has ended."""
        self.operations[name].end(failed=failed)

    def count_calls(self, name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator: each call is an operation `name` (the function's, if empty) until its result is there.

        For plain functions, coroutine functions, and functions that return Deferreds.
        """

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            operation = self.operations[name or function.__name__]
            return watched(function, lambda: operation)

        return decorate

    def time_calls(self, name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
        """The same, and how long each call took is added to the average `name`_s."""

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            called = name or function.__name__
            operation, seconds = self.operations[called], self.averages[f"{called}_s"]
            return watched(function, lambda: timed(operation, seconds, self._clock))

        return decorate

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Show what `read` returns at the moment of asking."""
        self._gauges[name] = read

    def gauges(self) -> Iterator[tuple[str, float]]:
        """What they read now; those that fail, or read no finite number, are left out."""
        for name, read in self._gauges.items():
            try:
                value = read()
            except Exception as error:  # noqa: BLE001 - one that fails must not take the others' page away
                self._log.warn("gauge {name} failed: {error!r}", name=name, error=error)
                continue
            if isfinite(value):
                yield name, +value  # A bool becomes a number.

    def metrics(self) -> Iterator[Metric]:
        """Every measure that is a finite number, sorted within its sort."""
        return (metric for metric in self._metrics() if isfinite(metric.value))

    def _metrics(self) -> Iterator[Metric]:
        for name, count in sorted(self.counters.items()):
            yield Metric(name, "gauge", count)
        for name, average in sorted(self.averages.items()):
            yield from _of_average(name, average)
        for name, work in sorted(self.operations.items()):
            yield Metric(f"{name}_total", "gauge", work.total)
            yield Metric(f"{name}_failed", "gauge", work.failed)
            yield Metric(f"{name}_pending", "int", work.pending)
        for name, value in sorted(self.gauges()):
            yield Metric(name, "int" if isinstance(value, int) else "float", value)


def _of_average(name: str, average: Average) -> Iterator[Metric]:
    yield Metric(f"{name}_count", "gauge", average.count)
    recent = average.recent()
    if recent is None:
        return
    values = {"last": average.last, "avg": recent.mean, "min": recent.minimum, "max": recent.maximum}
    values |= {f"p{percent}": value for percent, value in recent.percentiles.items()}
    for word, value in values.items():
        yield Metric(f"{name}_{word}", "float", value)
