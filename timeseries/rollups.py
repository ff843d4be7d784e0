"""Rollups: minimum, maximum, sum and count of every metric in slots of a fixed width.

A slot is made from all of its rows at once, and replaced whole when rows come late. The same rows make the
same slots, bit for bit, whatever came first, twice, or in how many passes: sums are exact where the values
have at most three decimal places, and go from left to right elsewhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries.columns import TEXT, Column, Columns, Floats, Kinds, Rows

FINE_MS = 300_000
"""Width of the finest slots that are kept; wider ones are always made from these, so that sums agree."""

EXACT = 1000.0
MOST_EXACT = 2.0**52


class Slots(NamedTuple):
    """The slots in which a metric has values, ascending: slot n begins n * width_ms after the epoch.

    `kinds` are the flags of all values of a slot.
    """

    slots: Rows
    minimum: Floats
    maximum: Floats
    total: Floats
    counts: Rows
    kinds: Kinds

    def of(self, chosen: NDArray[np.bool_] | slice) -> "Slots":
        """Those slots only."""
        return Slots(
            self.slots[chosen],
            self.minimum[..., chosen],
            self.maximum[..., chosen],
            self.total[..., chosen],
            self.counts[..., chosen],
            self.kinds[..., chosen],
        )


class Rollup(NamedTuple):
    """The slots of each metric of one check and key, in the order of names; a metric has one at least."""

    width_ms: int
    metrics: dict[str, Slots]


def roll(columns: Columns, start_ms: int, width_ms: int, slots: int) -> Rollup:
    """So many slots from `start_ms` on; texts, and rows of other times, are left out.

    Raises ValueError unless `start_ms` is a multiple of the width, and a width over FINE_MS one of that.
    """
    _check(start_ms, width_ms)
    if width_ms > FINE_MS:
        return coarsen(roll(columns, start_ms, FINE_MS, slots * width_ms // FINE_MS), width_ms)
    of_rows = columns.times // width_ms
    of_rows[(columns.times < start_ms) | (columns.times >= start_ms + slots * width_ms)] = -1
    return _rollup(width_ms, {name: _values(column, of_rows) for name, column in columns.metrics.items()})


def coarsen(fine: Rollup, width_ms: int) -> Rollup:
    """The same in wider slots; raises ValueError unless the width is a multiple."""
    _check(width_ms, fine.width_ms)
    ratio = width_ms // fine.width_ms
    widened = {name: slots._replace(slots=slots.slots // ratio) for name, slots in fine.metrics.items()}
    return _rollup(width_ms, widened)


def replace_slots(old: Rollup, new: Rollup, start_ms: int, slots: int) -> Rollup:
    """`old` with so many slots from `start_ms` on replaced by what `new` has there, be it nothing.

    Raises ValueError unless both have the same width, of which `start_ms` is a multiple.
    """
    _check(start_ms, old.width_ms)
    if old.width_ms != new.width_ms:
        raise ValueError(f"slots of {new.width_ms} ms cannot replace slots of {old.width_ms} ms")
    first = start_ms // old.width_ms
    names = sorted(old.metrics.keys() | new.metrics.keys())
    spliced = {
        name: _spliced(old.metrics.get(name, NONE), new.metrics.get(name, NONE), first, first + slots)
        for name in names
    }
    return Rollup(old.width_ms, {name: slots for name, slots in spliced.items() if len(slots.slots)})


def joined_rollups(rollups: Sequence[Rollup]) -> Rollup:
    """One of several, at least one, that follow one another in time and have the same width."""
    names = sorted({name for rollup in rollups for name in rollup.metrics})
    parts = {name: [rollup.metrics[name] for rollup in rollups if name in rollup.metrics] for name in names}
    return Rollup(rollups[0].width_ms, {name: _chained(parts[name]) for name in names})


NONE = Slots(*(np.empty(0, dtype) for dtype in (np.int64, float, float, float, np.int64, np.uint8)))


def _check(start_ms: int, width_ms: int) -> None:
    if width_ms <= 0 or start_ms % width_ms:
        raise ValueError(f"{start_ms} ms is no multiple of slots of {width_ms} ms")


def _spliced(old: Slots, new: Slots, first: int, last: int) -> Slots:
    within = (new.slots >= first) & (new.slots < last)
    return _chained([old.of(old.slots < first), new.of(within), old.of(old.slots >= last)])


def _chained(parts: Sequence[Slots]) -> Slots:
    return Slots(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _values(column: Column, of_rows: Rows) -> Slots:
    """Every number as a slot of its own; of negative zeros, which equal positive ones, nothing is kept."""
    slots, numbers = of_rows[column.rows], column.floats() + 0.0
    values = Slots(slots, numbers, numbers, numbers, np.ones(len(slots), dtype=np.int64), column.kinds)
    return values.of(column.kinds & np.uint8(TEXT) == 0) if len(column.texts) else values


def _rollup(width_ms: int, metrics: Mapping[str, Slots]) -> Rollup:
    """Parts of slots, those of one slot side by side, made whole; parts of slot -1 are left out."""
    alike: dict[bytes, list[str]] = {}
    for name, parts in metrics.items():
        alike.setdefault(parts.slots.tobytes(), []).append(name)
    found = dict(pair for names in alike.values() for pair in _of_alike(names, metrics))
    return Rollup(width_ms, {name: found[name] for name in metrics if name in found})


def _of_alike(names: Sequence[str], metrics: Mapping[str, Slots]) -> Iterator[tuple[str, Slots]]:
    """The slots of metrics that have their parts in the same slots, all reckoned at once."""
    slots, *arrays = zip(*(metrics[name] for name in names), strict=True)
    within = np.flatnonzero(slots[0] >= 0)
    if not len(within):
        return
    parts = Slots(slots[0], *map(np.stack, arrays))
    whole = _summed(parts.of(slice(within[0], within[-1] + 1)))
    for name, *row in zip(names, *whole[1:], strict=True):
        yield name, Slots(whole.slots, *row)


def _summed(parts: Slots) -> Slots:
    """One slot of the parts of each; all but `slots` are matrices of (metrics, parts)."""
    starts = np.flatnonzero(np.diff(parts.slots, prepend=-1))
    return Slots(
        parts.slots[starts],
        np.minimum.reduceat(parts.minimum, starts, axis=1),
        np.maximum.reduceat(parts.maximum, starts, axis=1),
        _totals(parts.total, starts),
        np.add.reduceat(parts.counts, starts, axis=1),
        np.bitwise_or.reduceat(parts.kinds, starts, axis=1),
    )


def _totals(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """The sums of each row's values from start to start: exact in thousandths, else from left to right.

    How one sum is made depends on its own values only.
    """
    lengths = np.diff(starts, append=values.shape[1])
    groups = np.repeat(np.arange(len(values) * len(starts)), np.tile(lengths, len(values)))

    def sums(weights: Floats) -> Floats:
        """Of each group, added one by one in the order of values."""
        return np.bincount(groups, weights=weights.ravel()).astype(float).reshape(len(values), len(starts))

    with np.errstate(over="ignore", invalid="ignore"):
        thousandths = np.rint(values * EXACT)
        exact = np.logical_and.reduceat(thousandths / EXACT == values, starts, axis=1)
        exact &= sums(np.abs(thousandths)) < MOST_EXACT
        return np.where(exact, sums(thousandths) / EXACT, sums(values))
