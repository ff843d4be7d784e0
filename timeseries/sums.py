"""Sums that come out the same whatever the order and the steps they are made in: exact in thousandths.

Where a value has more decimal places, or the sum is too large, they go from left to right.
"""

import numpy as np
from numpy.typing import NDArray

from timeseries.columns import Floats

THOUSANDTHS = 1000.0
MOST_EXACT = 2.0**52


def totals(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """The sums of each row's values from start to start; how one is made depends on its own values only."""
    with np.errstate(over="ignore", invalid="ignore"):
        thousandths = np.rint(values * THOUSANDTHS)
        exact = np.logical_and.reduceat(thousandths / THOUSANDTHS == values, starts, axis=1)
        exact &= np.add.reduceat(np.abs(thousandths), starts, axis=1) < MOST_EXACT
        sums = np.add.reduceat(thousandths, starts, axis=1) / THOUSANDTHS
    return sums if np.all(exact) else np.where(exact, sums, _in_order(values, starts))


def _in_order(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Added one by one: `reduceat` adds in an order of its own."""
    lengths = np.diff(starts, append=values.shape[1])
    groups = np.repeat(np.arange(len(values) * len(starts)), np.tile(lengths, len(values)))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.bincount(groups, weights=values.ravel()).astype(np.float64)
    return sums.reshape(len(values), len(starts))
