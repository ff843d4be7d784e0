"""The measures themselves. Names are words joined by `_`, with their unit (`write_s`, `frames_bytes`)."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Literal, NamedTuple, Self

Kind = Literal["int", "float"]


class Metric(NamedTuple):
    """One value as it is shown; `kind` is the check form's type (`int`: an ever-growing counter)."""

    name: str
    kind: Kind
    value: int | float


class Average:
    """What a series of values was: count, sum, least, greatest and last."""

    __slots__ = ("count", "last", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = self.last = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")

    def add(self, value: float) -> None:
        """Take in one value."""
        self.count += 1
        self.total += value
        self.last = value
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value

    def mean(self) -> float:
        """The arithmetic mean, 0 when nothing was added."""
        return self.total / self.count if self.count else 0.0


class Operation:
    """A kind of work that takes a while: `with operation:` counts it, as pending until it ends."""

    __slots__ = ("failed", "pending", "total")

    def __init__(self) -> None:
        self.total = self.pending = self.failed = 0

    def __enter__(self) -> Self:
        self.total += 1
        self.pending += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pending -= 1
        if error is not None:
            self.failed += 1


class Stats:
    """The measures of one owner, such as a service; not safe across threads, so use it in the reactor's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._counters: defaultdict[str, int] = defaultdict(int)
        self._averages: defaultdict[str, Average] = defaultdict(Average)
        self._operations: defaultdict[str, Operation] = defaultdict(Operation)
        self._gauges: dict[str, Callable[[], float]] = {}
        self.unready: str = ""
        """Why this owner cannot serve at the moment; empty when it can."""

    def increment(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self._counters[name] += by

    def add_average(self, name: str, value: float) -> None:
        """Add a value to an average; it shows as NAME_avg, _min, _max, _last and _count."""
        self._averages[name].add(value)

    def operation(self, name: str) -> Operation:
        """The operation of this name: `with stats.operation("write"):`; shows _total, _pending, _failed."""
        return self._operations[name]

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Show what `read` returns at the moment of asking."""
        self._gauges[name] = read

    def metrics(self) -> Iterator[Metric]:
        """Every measure, sorted within its sort."""
        for name, count in sorted(self._counters.items()):
            yield Metric(name, "int", count)
        for name, average in sorted(self._averages.items()):
            yield from _of_average(name, average)
        for name, work in sorted(self._operations.items()):
            yield Metric(f"{name}_total", "int", work.total)
            yield Metric(f"{name}_failed", "int", work.failed)
            yield Metric(f"{name}_pending", "float", work.pending)
        for name, read in sorted(self._gauges.items()):
            yield Metric(name, "float", read())

    def check_form(self) -> dict[str, object]:
        """As an agent's check result: {"state", "status", "metrics": [{"type", "name", "value"}]}."""
        metrics = [{"type": kind, "name": name, "value": value} for name, kind, value in self.metrics()]
        return {
            "state": "err" if self.unready else "ok",
            "status": self.unready or f"{self.name} is up",
            "metrics": metrics,
        }

    def prometheus(self) -> str:
        """Prometheus text format 0.0.4, each name as `picket_<owner>_<name>`, ends of lines included."""
        return "".join(self._prometheus_line(metric) for metric in self.metrics())

    def _prometheus_line(self, metric: Metric) -> str:
        name = re.sub(r"[^a-zA-Z0-9_]", "_", f"picket_{self.name}_{metric.name}")
        if metric.kind != "int":
            return f"# TYPE {name} gauge\n{name} {metric.value}\n"
        name = name if name.endswith("_total") else f"{name}_total"
        return f"# TYPE {name} counter\n{name} {metric.value}\n"


def _of_average(name: str, average: Average) -> Iterator[Metric]:
    yield Metric(f"{name}_count", "int", average.count)
    yield Metric(f"{name}_avg", "float", average.mean())
    yield Metric(f"{name}_min", "float", average.minimum)
    yield Metric(f"{name}_max", "float", average.maximum)
    yield Metric(f"{name}_last", "float", average.last)
