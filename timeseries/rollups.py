"""Rollups: minimum, maximum, sum and count of every metric in slots of a fixed width.

A slot is made from all of its rows at once, and replaced whole when rows come late. The same rows make the
same slots, bit for bit, whatever came first, twice, or in how many passes: sums are exact where the values
have at most three decimal places, and go from left to right elsewhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeseries.columns import Floats, Kinds, Rows

FINE_MS = 300_000
"""Width of the finest slots that are kept; wider ones are always made from these, so that sums agree."""


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

    def of(self, chosen: NDArray[np.bool_ | np.intp] | slice) -> "Slots":
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


def replace_slots(old: Rollup, new: Rollup, start_ms: int, slots: int) -> Rollup:
    """`old` with so many slots from `start_ms` on replaced by what `new` has there, be it nothing.

    Raises ValueError unless both have the same width, of which `start_ms` is a multiple.
    """
    check_width(start_ms, old.width_ms)
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
    return Rollup(rollups[0].width_ms, {name: chained(parts[name]) for name in names})


def chained(parts: Sequence[Slots]) -> Slots:
    """Those of one metric, in order, one after the other."""
    return Slots(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


NONE = Slots(*(np.empty(0, dtype) for dtype in (np.int64, float, float, float, np.int64, np.uint8)))


def check_width(start_ms: int, width_ms: int) -> None:
    """Raise ValueError unless slots of the width begin there."""
    if width_ms <= 0 or start_ms % width_ms:
        raise ValueError(f"{start_ms} ms is no multiple of slots of {width_ms} ms")


def _spliced(old: Slots, new: Slots, first: int, last: int) -> Slots:
    within = (new.slots >= first) & (new.slots < last)
    return chained([old.of(old.slots < first), new.of(within), old.of(old.slots >= last)])
