"""Minimum, maximum and sum of slots as small integers, which give them back bit for bit.

Where all of a metric's are decimals of a few places they become integers: the minimum, how far the maximum is
above it, and twice how far the sum is off that of as many values in the middle between the two: if all values
of a slot are equal, the last two are 0. Where they are no such decimals, it is the bits of the three floats.
"""

import numpy as np

from timeseries import scaling
from timeseries.columns import Floats
from timeseries.scaling import RAW, Integers, Places, places_of


def to_integers(extremes: Floats, counts: Integers) -> tuple[Places, Integers]:
    """Of a matrix of (metrics, three, slots), without negative zeros, and the counts of the slots."""
    rows = extremes.reshape(len(extremes), -1)
    places = places_of(rows)
    is_raw = places == RAW
    integers = scaling.to_integers(rows, places).reshape(extremes.shape)
    low, high, total = integers[:, 0], integers[:, 1], integers[:, 2]
    integers[:, 2], integers[:, 1] = 2 * total - counts * (low + high), high - low
    integers[is_raw] = extremes[is_raw].view(np.int64)
    return places, integers


def to_floats(
    low: Integers, span: Integers, rest: Integers, powers: Floats | np.float64, counts: Integers
) -> tuple[Floats, Floats, Floats]:
    """Minimum, maximum and sum, where they are decimals: of integers in this order, and powers of ten."""
    high = low + span
    total = (rest + counts * (low + high)) >> 1
    return low / powers, high / powers, total / powers
