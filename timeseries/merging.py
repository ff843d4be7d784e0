"""A row's columns and those of frames in one: of a frame that is in both, what the frames say.

The series of a node nearly always have the same rows in an hour, so the order of these is remembered.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import numpy as np

from timeseries.columns import Column, Columns, Numbers, Rows, Times, joined


class Identities(NamedTuple):
    """The frames of rows: their times, as the bytes of an array, and their origins."""

    times: bytes
    origins: tuple[str, ...]

    def pairs(self) -> list[tuple[int, str]]:
        """(time, origin) of each row."""
        return list(zip(np.frombuffer(self.times, dtype=np.int64).tolist(), self.origins, strict=True))


def identities_of(times: Times, origins: Sequence[str]) -> Identities:
    """Those of rows that have these."""
    return Identities(times.tobytes(), tuple(origins))


def has_all(new: Identities, old: Identities) -> bool:
    """Whether nothing stays of what is old."""
    return len(_order(old, new)) == len(new.origins)


def merge(old: Columns, new: Columns) -> Columns:
    """The rows of both, in order; of a frame that is in both, those of `new`."""
    order = _order(identities_of(old.times, old.origins), identities_of(new.times, new.origins))
    picked = order.tolist()
    origins, states, statuses = (
        [both[row] for row in picked]
        for both in (
            [*old.origins, *new.origins],
            [*old.states, *new.states],
            [*old.statuses, *new.statuses],
        )
    )
    return Columns(
        np.concatenate((old.times, new.times))[order],
        origins,
        states,
        statuses,
        {
            name: column
            for name in sorted(old.metrics.keys() | new.metrics.keys())
            if (column := _merged(old, new, name, order)) is not None
        },
    )


@lru_cache(maxsize=8)
def _order(old: Identities, new: Identities) -> Rows:
    """Which rows of both, those of `old` first, make up the merged ones, in order."""
    replaced, identities = set(new.pairs()), [*old.pairs(), *new.pairs()]
    first = len(old.origins)
    kept = (row for row in range(len(identities)) if row >= first or identities[row] not in replaced)
    return np.array(sorted(kept, key=identities.__getitem__), dtype=np.int64)


def _merged(old: Columns, new: Columns, name: str, order: Rows) -> Column | None:
    pair = old.metrics.get(name), new.metrics.get(name)
    first, size = len(old.times), len(old.times) + len(new.times)
    one, other = pair
    if one and other and len(one.rows) + len(other.rows) == size and _are_alike(one, other):
        numbers = cast("Numbers", np.concatenate((one.numbers, other.numbers))[order])
        return Column(np.arange(len(order)), np.concatenate((one.kinds, other.kinds))[order], numbers)
    places = np.full(size, -1)
    places[order] = np.arange(len(order))
    moved = (
        column.moved(to) for column, to in zip(pair, (places[:first], places[first:]), strict=True) if column
    )
    pieces = [column for column in moved if len(column.rows)]
    return joined(pieces) if pieces else None


def _are_alike(one: Column, other: Column) -> bool:
    """Whether both are numbers of one type, which need no look at each."""
    return one.numbers.dtype == other.numbers.dtype and one.is_pure() and other.is_pure()
