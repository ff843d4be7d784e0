"""Percentiles of many values in little memory: counts in buckets whose widths grow with the value.

A bucket reaches from `b` to `b * GROWTH`, and stands for the value that is off by the same share from both
ends: a percentile is within `ERROR` (2 %) of the exact one, whatever the distribution. Only buckets that hold
something are kept: 58 for each factor of ten that the values span, and never more than `2 * TOP + 1`.

Values nearer to zero than `LEAST` count as zero, and those beyond `MOST` as `MOST`.
"""

from collections.abc import Mapping
from math import ceil, log

ERROR = 0.02
GROWTH = (1 + ERROR) / (1 - ERROR)
LEAST, MOST = 1e-9, 1e15

_SCALE = 1 / log(GROWTH)
_SHIFT = 1 - log(LEAST) * _SCALE
TOP = int(log(MOST) * _SCALE + _SHIFT)


def bucket(value: float) -> int:
    """The number of a finite value's bucket: higher for a greater value, below 0 for a negative one."""
    if value > LEAST:
        return min(int(log(value) * _SCALE + _SHIFT), TOP)
    if value < -LEAST:
        return -min(int(log(-value) * _SCALE + _SHIFT), TOP)
    return 0


def middle(number: int) -> float:
    """The value that a bucket stands for."""
    if number == 0:
        return 0.0
    lower = LEAST * GROWTH ** (abs(number) - 1)
    value = lower * (1 + ERROR)
    return value if number > 0 else -value


def percentile(counts: Mapping[int, int], percent: float) -> float:
    """The least value that `percent` of all are not above; ValueError where nothing was counted."""
    rank = ceil(sum(counts.values()) * percent / 100)
    for number in sorted(counts):
        rank -= counts[number]
        if rank <= 0:
            return middle(number)
    raise ValueError("no values")
