"""What can be measured besides a plain count: series of values, and work that takes a while."""

from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from statslib.histogram import bucket, percentile

WINDOW_S = 300.0
"""What is said of recent values is of the last one to two windows."""

PERCENTILES = (50, 95, 99)


class Recent(NamedTuple):
    """Values of the last five to ten minutes; each percentile is within 2 % of the exact one."""

    mean: float
    minimum: float
    maximum: float
    percentiles: dict[int, float]


class _Window:
    """The values of one window, and how many there were before it."""

    __slots__ = ("buckets", "count_before", "maximum", "minimum", "total_before")

    def __init__(self, count_before: int, total_before: float) -> None:
        self.count_before, self.total_before = count_before, total_before
        self.buckets: dict[int, int] = {}
        self.minimum, self.maximum = float("inf"), float("-inf")


class Average:
    """A series of values: how many, their sum and the last one since the start, and what the recent were."""

    __slots__ = ("_before", "_clock", "_now", "_until", "count", "last", "total")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.count = 0
        self.total = self.last = 0.0
        self._clock = clock
        self._before = self._now = _Window(0, 0.0)
        self._until = clock() + WINDOW_S

    def add(self, value: float) -> None:
        """Take in one value; one that is no finite number is left out."""
        if value - value != 0:
            return
        if self._clock() >= self._until:
            self._turn()
        self.count += 1
        self.total += value
        self.last = value
        window = self._now
        number = bucket(value)
        window.buckets[number] = window.buckets.get(number, 0) + 1
        if value < window.minimum:
            window.minimum = value
        if value > window.maximum:
            window.maximum = value

    def recent(self) -> Recent | None:
        """The values of the last five to ten minutes; None where there were none."""
        if self._clock() >= self._until:
            self._turn()
        count = self.count - self._before.count_before
        if not count:
            return None
        windows = (self._before, self._now)
        least, most = min(each.minimum for each in windows), max(each.maximum for each in windows)
        counts = Counter(self._now.buckets)
        if self._before is not self._now:
            counts.update(self._before.buckets)
        found = {each: min(max(percentile(counts, each), least), most) for each in PERCENTILES}
        return Recent((self.total - self._before.total_before) / count, least, most, found)

    def _turn(self) -> None:
        """Begin a new window; the one before it is forgotten where nothing was added for as long."""
        now = self._clock()
        fresh = _Window(self.count, self.total)
        self._before = self._now if now < self._until + WINDOW_S else fresh
        self._now = fresh
        self._until = now + WINDOW_S


class Operation:
    """A kind of work that takes a while: `with operation:` counts it, as pending until it ends."""

    __slots__ = ("failed", "pending", "total")

    def __init__(self) -> None:
        self.total = self.pending = self.failed = 0

    def begin(self) -> None:
        """One more is under way."""
        self.total += 1
        self.pending += 1

    def end(self, *, failed: bool = False) -> None:
        """One of those under way has ended."""
        self.pending -= 1
        self.failed += failed

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(failed=error is not None)
