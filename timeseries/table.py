"""One check's metrics over time: collected from frames, then laid out as columns that a graph can show.

`thd_add` decodes thousands of payloads, so it belongs in a thread; call it with list after list, in order of
time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from twisted.logger import Logger

from timeseries.errors import InvalidFrame
from timeseries.frames import CheckResult, Frame, Value, decode_payload

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

GAP_INTERVALS = 3
NONE: Floats = np.empty(0)


def kind_of(value: Value, is_rate: bool) -> str:
    """The API's type word of a value: int, float, gauge or string."""
    if isinstance(value, str):
        return "string"
    if is_rate:
        return "gauge"
    return "int" if isinstance(value, int) else "float"


class Line(NamedTuple):
    """A metric laid out over the times of its graph; minimum and maximum are empty unless it was reduced."""

    name: str
    kind: str
    values: Floats
    minimum: Floats = NONE
    maximum: Floats = NONE
    texts: list[str] = []  # noqa: RUF012


class Graph(NamedTuple):
    """Lines over shared times (ms, ascending); `width_ms` is what was folded into a point, 0 for nothing."""

    times: Times
    lines: list[Line]
    width_ms: int = 0


@dataclass
class _Metric:
    """A metric's values: columns of numbers (NaN where there is none) by first row, and texts by row."""

    numbers: dict[int, Floats] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)

    def add(self, row: int, values: list[Value | None], is_rate: bool) -> None:
        there = [value for value in values if value is not None]
        self.kinds |= {kind_of(cls(), is_rate) for cls in set(map(type, there))}
        if "string" in self.kinds:
            self.texts |= {row + n: str(value) for n, value in enumerate(values) if value is not None}
        else:
            self.numbers[row] = _floats(values)

    def line(self, name: str, size: int) -> Line:
        kind = next(kind for kind in ("string", "gauge", "float", "int") if kind in self.kinds)
        if kind == "string":
            texts = _texts(self._column(size))
            return Line(name, kind, NONE, texts=[self.texts.get(row, text) for row, text in enumerate(texts)])
        return Line(name, kind, self._column(size))

    def _column(self, size: int) -> Floats:
        column = np.full(size, np.nan)
        for row, numbers in self.numbers.items():
            column[row : row + len(numbers)] = numbers
        return column


class Table:
    """Rows of (time, values by metric) of one check and key; empty `metrics` collects all of them."""

    _log = Logger()

    def __init__(self, check: str, key: str, metrics: Sequence[str]) -> None:
        self._check = check
        self._key = key
        self._wanted = metrics
        self._times: list[int] = []
        self._metrics: dict[str, _Metric] = {}
        self._last: tuple[int, str] | None = None

    def thd_add(self, frames: Sequence[Frame]) -> None:
        """Take in frames that are later than all before; one that cannot be read is logged and left out."""
        row = len(self._times)
        results = [result for frame in frames for result in self._results(frame)]
        found = dict.fromkeys(name for result in results for name in result.metrics)
        rates = {name for result in results for name in result.rates}
        for name in [name for name in self._wanted if name in found] or ([] if self._wanted else found):
            values = [result.metrics.get(name) for result in results]
            self._metrics.setdefault(name, _Metric()).add(row, values, name in rates)

    def _results(self, frame: Frame) -> list[CheckResult]:
        """Those of the table's check and key, each a row from now on."""
        identity = frame.time_ms, frame.origin
        if identity == self._last:
            return []
        self._last = identity
        try:
            results = decode_payload(frame.payload).results
        except InvalidFrame as error:
            self._log.warn("unreadable frame of {node}: {error}", node=frame.node_id, error=error)
            return []
        ours = [result for result in results if result.check == self._check and result.key == self._key]
        self._times += [frame.time_ms] * len(ours)
        return ours

    def graph(self, start_ms: int, end_ms: int, max_points: int) -> Graph:
        """What was collected; with `max_points`, gaps are marked, and too many points are folded together."""
        times = np.array(self._times, dtype=np.int64)
        lines = [metric.line(name, len(times)) for name, metric in self._metrics.items()]
        graph = Graph(times, lines)
        if not max_points:
            return graph
        marked = _mark_gaps(graph, _typical_ms(times))
        if len(marked.times) <= max_points:
            return marked
        width_ms = -(-(end_ms - start_ms) // max_points)
        folded = _fold(graph, start_ms, width_ms)
        return _mark_gaps(folded, max(width_ms, _typical_ms(times)))


def _floats(values: list[Value | None]) -> Floats:
    """None becomes NaN, and a whole number that is too large for a float becomes infinite."""
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return np.array([None if value is None else _float(value) for value in values], dtype=np.float64)


def _texts(column: Floats) -> list[str]:
    return ["" if np.isnan(number) else f"{number:.15g}" for number in column]


def _float(value: Value) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if int(value) > 0 else -np.inf


def _typical_ms(times: Times) -> int:
    return int(np.median(np.diff(times))) if len(times) > 1 else 0


def _mark_gaps(graph: Graph, interval_ms: int) -> Graph:
    """Put a point without values into every pause of over GAP_INTERVALS intervals, one interval in."""
    before = np.flatnonzero(np.diff(graph.times) > max(1, interval_ms) * GAP_INTERVALS)
    if not len(before):
        return graph
    times = np.insert(graph.times, before + 1, graph.times[before] + max(1, interval_ms))
    return Graph(times, [_with_gaps(line, before + 1) for line in graph.lines], graph.width_ms)


def _with_gaps(line: Line, places: NDArray[np.intp]) -> Line:
    values, minimum, maximum = (
        np.insert(column, places, np.nan) if len(column) else column
        for column in (line.values, line.minimum, line.maximum)
    )
    texts = list(line.texts)
    for place in reversed(places if texts else ()):
        texts.insert(place, "")
    return Line(line.name, line.kind, values, minimum, maximum, texts)


def _fold(graph: Graph, start_ms: int, width_ms: int) -> Graph:
    """One point for every `width_ms` that has any, at its start: mean, minimum, maximum; last text."""
    buckets = (graph.times - start_ms) // width_ms
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    ends = np.append(starts[1:], len(buckets))
    lines = [_fold_line(line, starts, ends) for line in graph.lines]
    return Graph(start_ms + buckets[starts] * width_ms, lines, width_ms)


def _fold_line(line: Line, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Line:
    if line.kind == "string":
        texts = [_last_text(line.texts[start:end]) for start, end in zip(starts, ends, strict=True)]
        return Line(line.name, line.kind, NONE, texts=texts)
    there = ~np.isnan(line.values)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        totals = np.add.reduceat(np.where(there, line.values, 0.0), starts)
        means = totals / np.add.reduceat(there.astype(np.int64), starts)
        minimum = np.fmin.reduceat(line.values, starts)
        maximum = np.fmax.reduceat(line.values, starts)
    return Line(line.name, line.kind, np.clip(means, minimum, maximum), minimum, maximum)


def _last_text(texts: list[str]) -> str:
    return next((text for text in reversed(texts) if text), "")
