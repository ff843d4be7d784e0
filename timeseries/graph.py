"""Graphs: the lines of metrics over the times that they share, laid out from columns or from rollups."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

import numpy as np

from timeseries.columns import FLOAT, INT, RATE, TEXT, Column, Columns, Floats, Times
from timeseries.rollups import Rollup, Slots

NONE: Floats = np.empty(0)
NO_TIMES: Times = np.empty(0, dtype=np.int64)
WORDS = ((TEXT, "string"), (RATE, "gauge"), (FLOAT, "float"), (INT, "int"))
"""The API's word for a metric is that of the first kind here which any of its values has."""


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


def lay_out(parts: Sequence[Columns], metrics: Sequence[str], start_ms: int, end_ms: int) -> Graph:
    """Every row with start_ms <= time < end_ms of columns that follow one another in time.

    The lines are those of `metrics` that have a value, in this order; all that have, by name, if it is empty.
    """
    within = [columns.between(start_ms, end_ms) for columns in parts]
    times = np.concatenate([NO_TIMES, *(columns.times for columns in within)])
    pieces: dict[str, list[tuple[int, Column]]] = {}
    first = 0
    for columns in within:
        for name, column in columns.metrics.items():
            pieces.setdefault(name, []).append((first, column))
        first += len(columns.times)
    names = [name for name in dict.fromkeys(metrics) if name in pieces] if metrics else sorted(pieces)
    return Graph(times, [_line(name, pieces[name], len(times)) for name in names])


def lay_out_slots(rollup: Rollup, start_ms: int, end_ms: int) -> Graph:
    """The slots that overlap a range, each at its start: mean, minimum and maximum of its values."""
    first, last = start_ms // rollup.width_ms, -(-end_ms // rollup.width_ms)
    within = {
        name: slots.of((slots.slots >= first) & (slots.slots < last))
        for name, slots in rollup.metrics.items()
    }
    numbers = np.unique(np.concatenate([NO_TIMES, *(slots.slots for slots in within.values())]))
    lines = [_of_slots(name, slots, numbers) for name, slots in within.items() if len(slots.slots)]
    return Graph(numbers * rollup.width_ms, lines, rollup.width_ms)


def _line(name: str, pieces: Sequence[tuple[int, Column]], size: int) -> Line:
    """The line of columns, each with the place of its row 0."""
    kind = _word([column.flags() for _, column in pieces])
    if kind == "string":
        texts = [""] * size
        for first, column in pieces:
            for row, value in zip((first + column.rows).tolist(), column.values(), strict=True):
                texts[row] = str(value)
        return Line(name, kind, NONE, texts=texts)
    numbers = np.full(size, np.nan)
    for first, column in pieces:
        count = len(column.rows)
        without_gaps = column.rows[-1] == count - 1  # Nearly always, and then a copy, not a scattering.
        numbers[slice(first, first + count) if without_gaps else first + column.rows] = column.floats()
    return Line(name, kind, numbers)


def _of_slots(name: str, slots: Slots, numbers: Times) -> Line:
    places = np.searchsorted(numbers, slots.slots)
    means = np.clip(slots.total / slots.counts, slots.minimum, slots.maximum)
    lines = np.full((3, len(numbers)), np.nan)
    lines[:, places] = means, slots.minimum, slots.maximum
    return Line(name, _word(slots.kinds.tolist()), *lines)


def _word(flags: Sequence[int]) -> str:
    found = reduce(or_, flags)
    return next(word for kind, word in WORDS if found & kind)
