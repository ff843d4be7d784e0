"""Metrics that follow others of their check: they are what others add up to, or a share of one.

Such a column is kept as what it is off the others' sum, each by a factor. Of the available blocks of a disk,
of its percent used or of the idle CPU little is left then. Every number still comes back bit for bit: what is
expected is rounded to integers, and the same floats are reckoned again when the column is unpacked.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from timeseries.columns import Floats
from timeseries.scaling import Integers

FEWEST = 32
"""Rows that are worth the trouble."""

LEAST_GAIN = 1.0
"""Bits a number that are to be saved, as far as variances tell."""

LEAST_LOSS = 0.2
"""Those without which no more than such a share would be left are not followed."""

NEAR = 0.01
"""A factor that is so near to a whole number is taken for it."""

RIDGE = 1e-9
"""Added to the variance of each column, of which it is a share, so that two may be the same."""

ROUNDED = 1 / 6
"""The variance of the steps of what is rounded away."""

MOST, MOST_FACTOR, TINY = 2.0**62, 1e12, 1e-300


class Follower(msgspec.Struct, frozen=True, array_like=True):
    """What is expected of a column: start, and the sum of the columns at these places, each by its factor."""

    places: list[int]
    factors: list[int | float]
    start: int | float

    def expected(self, columns: Sequence[Integers]) -> Integers:
        """Given those columns; raises ValueError if it is too large for integers."""
        total = np.full(len(columns[0]), float(self.start))
        for column, factor in zip(columns, self.factors, strict=True):
            total += column * float(factor)
        if not np.abs(total).max() < MOST:
            raise ValueError("what is expected of a column is out of bounds")
        found: Integers = np.rint(total).astype(np.int64)
        return found


def find_followers(columns: Mapping[int, Integers]) -> dict[int, Follower]:
    """Of columns by their places, none constant, those that seem to follow others, which follow none."""
    if len(columns) < 2 or len(next(iter(columns.values()))) < FEWEST:
        return {}
    numbers, places = np.array(list(columns.values()), dtype=np.float64), list(columns)
    try:
        return {
            places[column]: _follower(
                [places[leader] for leader in leaders], factors, numbers[column], numbers[leaders]
            )
            for column, leaders, factors in _find(numbers[:, 1:] - numbers[:, :-1])
        }
    except np.linalg.LinAlgError:
        return {}


def _find(steps: Floats) -> Iterator[tuple[int, list[int], Floats]]:
    """Followers, the one first of whose steps others tell most; which others, and by which factors."""
    products = steps @ steps.T / len(steps[0])
    variances = products.diagonal().copy()
    products.ravel()[:: len(variances) + 1] *= 1 + RIDGE
    inverse: Floats = np.asarray(np.linalg.inv(products), dtype=np.float64)
    may_follow = np.ones(len(variances), dtype=bool)
    while True:
        # Of a column's variance the others leave one by its precision, which the inverse has.
        precisions = np.maximum(inverse.diagonal(), TINY)
        gains = np.log2((variances + ROUNDED) / (1 / precisions + ROUNDED)) / 2 * may_follow
        if not (most := gains.max()) >= LEAST_GAIN:
            return
        # Of two that tell as much of each other, the coarser one follows, a percentage of bytes.
        near = np.flatnonzero(gains >= max(most - 1, LEAST_GAIN))
        column = int(near[np.argmin(variances[near])])
        leaders = _leaders(inverse, column)
        factors = -inverse[column, leaders] / precisions[column]
        if np.abs(factors).max() < MOST_FACTOR:
            yield column, leaders, factors
        may_follow[[column, *leaders]] = False
        inverse = _without(inverse, column)


def _without(inverse: Floats, column: int) -> Floats:
    """The inverse of the products of all others."""
    row = inverse[column]
    found: Floats = inverse - np.outer(row, row / row[column])
    found[column], found[:, column] = 0, 0
    found[column, column] = 1
    return found


def _leaders(inverse: Floats, column: int) -> list[int]:
    """Those without which clearly more would be left of the column; at least one."""
    shared = np.square(inverse[column])
    losses = shared / np.maximum(inverse[column, column] * inverse.diagonal() - shared, shared * RIDGE + TINY)
    losses[column] = 0
    return np.flatnonzero(losses >= min(LEAST_LOSS, losses.max())).tolist()


def _follower(places: list[int], factors: Floats, column: Floats, leaders: Floats) -> Follower:
    """Whole numbers are shorter, and with whole factors a start that is not whole makes no difference."""
    whole = np.rint(factors)
    factors = np.where((np.abs(factors - whole) < NEAR) & (whole != 0), whole, factors)
    start = float(np.mean(column - factors @ leaders))
    if np.array_equal(factors, whole) and abs(start) < MOST:
        return Follower(places, [int(factor) for factor in factors], round(start))
    return Follower(places, factors.tolist(), start)
