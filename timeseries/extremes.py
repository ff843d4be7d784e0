"""Minimum, maximum and sum of slots as small integers, which give them back bit for bit.

Where all of a metric's are decimals of a few places they become integers: the minimum, how far the maximum is
above it, and twice how far the sum is off that of as many values in the middle between the two: if all values
of a slot are equal, the last two are 0. Where they are no such decimals, it is the bits of the three floats.
"""

import numpy as np
from numpy.typing import NDArray

from timeseries.columns import Floats
from timeseries.numbers import PLACES, RAW, Integers

Places = NDArray[np.int8]
MOST = 2.0**62
POWERS = np.array([*(10.0**places for places in range(max(PLACES) + 1)), 1.0])
"""By decimal places; that of RAW, the last, is one."""


def places_of(numbers: Floats) -> Places:
    """Of each row the fewest decimal places that are enough for all of its numbers, or RAW."""
    found = np.full(len(numbers), RAW, dtype=np.int8)
    left = np.arange(len(numbers))
    for places in PLACES:
        with np.errstate(over="ignore", invalid="ignore"):
            integers = np.rint(numbers * POWERS[places])
            exact = np.all((integers / POWERS[places] == numbers) & (np.abs(integers) < MOST), axis=1)
        found[left[exact]] = places
        left, numbers = left[~exact], numbers[~exact]
        if not len(left):
            break
    return found


def to_integers(extremes: Floats, counts: Integers) -> tuple[Places, Integers]:
    """Of a matrix of (metrics, three, slots), without negative zeros, and the counts of the slots."""
    places = places_of(extremes.reshape(len(extremes), -1))
    is_raw = places == RAW
    with np.errstate(over="ignore", invalid="ignore"):
        integers = np.rint(extremes * POWERS[places][:, None, None]).astype(np.int64)
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
