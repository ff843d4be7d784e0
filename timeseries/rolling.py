"""From columns to slots: all metrics that have values in the same rows are reckoned at once, as matrices.

With twelve slots an hour it is the calls that cost, not the numbers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from timeseries.columns import TEXT, Column, Columns, Rows, Times
from timeseries.rollups import FINE_MS, Rollup, Slots, check_width
from timeseries.sums import totals

Metric = tuple[int, str]
"""The number of a series, and the name of one of its metrics."""


class Sheet(NamedTuple):
    """Metrics, of any series, that have as many values in the same slots; a row each of the other fields."""

    metrics: Sequence[Metric]
    slots: Slots


def roll_all(series: Sequence[Columns], start_ms: int, slots: int) -> list[Sheet]:
    """So many slots of FINE_MS from `start_ms` on; texts, and rows of other times, are left out.

    Raises ValueError unless `start_ms` is a multiple of the width.
    """
    check_width(start_ms, FINE_MS)
    alike: dict[bytes, tuple[Rows, list[Metric], list[Column]]] = {}
    for number, columns in enumerate(series):
        of_rows = _slots_of(columns.times, start_ms, start_ms + slots * FINE_MS)
        for name, key, of_values, column in _numbers(of_rows, columns):
            _, metrics, numbers = alike.setdefault(key, (of_values, [], []))
            metrics.append((number, name))
            numbers.append(column)
    return [_rolled(*group) for group in alike.values() if np.any(group[0] >= 0)]


def coarsen_all(sheets: Iterable[Sheet], ratio: int) -> list[Sheet]:
    """In slots that are so many times wider."""
    return [Sheet(metrics, _summed(slots._replace(slots=slots.slots // ratio))) for metrics, slots in sheets]


def rollups_of(sheets: Iterable[Sheet], width_ms: int, series: int) -> list[Rollup]:
    """What the sheets have of each of so many series."""
    found: list[dict[str, Slots]] = [{} for _ in range(series)]
    for metrics, slots in sheets:
        for (number, name), *rows in zip(metrics, *slots[1:], strict=True):
            found[number][name] = Slots(slots.slots, *rows)
    return [Rollup(width_ms, dict(sorted(metrics.items()))) for metrics in found]


def roll(columns: Columns, start_ms: int, width_ms: int, slots: int) -> Rollup:
    """So many slots from `start_ms` on; texts, and rows of other times, are left out.

    Raises ValueError unless `start_ms` is a multiple of the width, and that of FINE_MS.
    """
    check_width(start_ms, width_ms)
    check_width(width_ms, FINE_MS)
    ratio = width_ms // FINE_MS
    sheets = roll_all([columns], start_ms, slots * ratio)
    return rollups_of(sheets if ratio == 1 else coarsen_all(sheets, ratio), width_ms, 1)[0]


def coarsen(fine: Rollup, width_ms: int) -> Rollup:
    """The same in wider slots; raises ValueError unless the width is a multiple."""
    check_width(width_ms, fine.width_ms)
    return rollups_of(coarsen_all(sheets_of(fine), width_ms // fine.width_ms), width_ms, 1)[0]


def sheets_of(rollup: Rollup) -> list[Sheet]:
    """The sheets of one series, which has number 0; metrics in order."""
    alike: dict[tuple[bytes, bytes], list[str]] = {}
    for name, slots in rollup.metrics.items():
        alike.setdefault((slots.slots.tobytes(), slots.counts.tobytes()), []).append(name)
    return [_sheet(names, [rollup.metrics[name] for name in names]) for names in alike.values()]


def _slots_of(times: Times, start_ms: int, end_ms: int) -> Rows:
    """The slot of each row, or -1."""
    slots = times // FINE_MS
    slots[(times < start_ms) | (times >= end_ms)] = -1
    return slots


def _numbers(of_rows: Rows, columns: Columns) -> Iterator[tuple[str, bytes, Rows, Column]]:
    """Of each metric that has numbers: name, slots as bytes and as they are, and the column of these."""
    every_row = of_rows.tobytes()
    for name, column in columns.metrics.items():
        if len(column.numbers) == len(of_rows):
            yield name, every_row, of_rows, column
        elif len(column.numbers) or not np.all(column.kinds & np.uint8(TEXT)):
            numbers = _without_texts(column)
            slots = of_rows[numbers.rows]
            yield name, slots.tobytes(), slots, numbers


def _without_texts(column: Column) -> Column:
    if not len(column.texts):
        return column
    chosen = column.kinds & np.uint8(TEXT) == 0
    return Column(column.rows[chosen], column.kinds[chosen], column.floats()[chosen])


def _rolled(of_values: Rows, metrics: Sequence[Metric], columns: Sequence[Column]) -> Sheet:
    """The slots of columns that have values in the same rows; those of slot -1 are left out."""
    within = np.flatnonzero(of_values >= 0)
    chosen = slice(within[0], within[-1] + 1)
    # Of negative zeros, which equal positive ones, nothing is kept.
    numbers = np.stack([column.numbers[chosen] for column in columns], dtype=np.float64) + 0.0
    kinds = np.stack([column.kinds[chosen] for column in columns])
    ones = np.broadcast_to(np.int64(1), numbers.shape)
    return Sheet(metrics, _summed(Slots(of_values[chosen], numbers, numbers, numbers, ones, kinds)))


def _sheet(names: Sequence[str], slots: Sequence[Slots]) -> Sheet:
    """Metrics of one series that have the same slots."""
    of_slots, *arrays = zip(*slots, strict=True)
    return Sheet([(0, name) for name in names], Slots(of_slots[0], *map(np.stack, arrays)))


def _summed(parts: Slots) -> Slots:
    """One slot of the parts of each, which lie side by side; the rest are matrices of (metrics, parts)."""
    starts = np.flatnonzero(np.diff(parts.slots, prepend=-1))
    return Slots(
        parts.slots[starts],
        np.minimum.reduceat(parts.minimum, starts, axis=1),
        np.maximum.reduceat(parts.maximum, starts, axis=1),
        totals(parts.total, starts),
        np.add.reduceat(parts.counts, starts, axis=1),
        np.bitwise_or.reduceat(parts.kinds, starts, axis=1),
    )
