"""What a query has to answer, made from frames value by value: what columns and rows are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from twisted.logger import Logger

from timeseries.columns import Floats
from timeseries.errors import InvalidFrame
from timeseries.frames import CheckResult, Frame, Value, decode_payload
from timeseries.graph import NONE, Graph, Line
from timeseries.reduce import reduced


def kind_of(value: Value, is_rate: bool) -> str:
    """The API's type word of a value: int, float, gauge or string."""
    if isinstance(value, str):
        return "string"
    if is_rate:
        return "gauge"
    return "int" if isinstance(value, int) else "float"


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
        return reduced(Graph(times, lines), start_ms, end_ms, max_points)


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
