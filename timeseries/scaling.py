"""Numbers as small integers, those of many columns at once, as rows of matrices.

Floats that are decimals of a few places, as agents round them, are the integers that they are when multiplied
by a power of ten. Integers lose the zero bits that all of them end with, and what is common to them if they
are large. Every number comes back bit for bit, -0.0 and subnormal ones too.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from timeseries.columns import Floats, Numbers

Integers = NDArray[np.int64]
Places = NDArray[np.int8]

PLACES = (0, 1, 2, 3, 6)
"""Decimal places that are tried."""

RAW = -1
"""In place of decimal places: floats that are no such decimals."""

POWERS = np.array([*(10.0**places for places in range(max(PLACES) + 1)), 1.0])
"""By decimal places; that of RAW, the last, is one."""

MOST = 2.0**62
"""Integers that stand for floats are below it."""


class Scaled(NamedTuple):
    """Each number is base + (integer << shift), with `places` divided by ten to the power of them."""

    integers: Integers
    places: int | None
    base: int
    shift: int

    def numbers(self) -> Numbers:
        """What they stand for."""
        integers = self.integers
        if self.shift or self.base:
            integers = (integers << self.shift) + self.base
        return integers if self.places is None else integers / POWERS[self.places]


def scaled_rows(rows: Numbers) -> Iterator[Scaled | int | float | None]:
    """Of each row its integers, or its number if all are equal, or None if they are no decimals."""
    bits = rows.view(np.int64)
    constant = np.all(bits == bits[:, :1], axis=1)
    changing = rows[~constant]
    if rows.dtype == np.int64:
        scaled: Iterator[Scaled | None] = _small(cast("Integers", changing), [None] * len(changing))
    else:
        scaled = _decimals(cast("Floats", changing))
    for first, is_constant in zip(rows[:, 0].tolist(), constant.tolist(), strict=True):
        yield first if is_constant else next(scaled)


def places_of(rows: Floats) -> Places:
    """Of each row the fewest decimal places that give back all of its numbers bit for bit, or RAW."""
    found = np.full(len(rows), RAW, dtype=np.int8)
    left = np.arange(len(rows))
    for places in PLACES:
        likely = left[_are_exact(rows[left][:, [0, -1]], places)]
        found[likely[_are_exact(rows[likely], places)]] = places
        left = left[found[left] == RAW]
        if not len(left):
            break
    return found


def to_integers(rows: Floats, places: Places) -> Integers:
    """What gives the numbers when divided by ten to the power of the places of their row."""
    with np.errstate(over="ignore", invalid="ignore"):
        integers: Integers = np.rint(rows * POWERS[places][:, None]).astype(np.int64)
    return integers


def fit_32_bits(rows: Integers) -> NDArray[np.bool_]:
    """Whether all numbers of each row do."""
    fit: NDArray[np.bool_] = (rows.min(axis=1) >= -(2**31)) & (rows.max(axis=1) < 2**31)
    return fit


def _are_exact(rows: Floats, places: int) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", invalid="ignore"):
        integers = np.rint(rows * POWERS[places])
        back = integers.astype(np.int64) / POWERS[places]
    same = (back.view(np.int64) == rows.view(np.int64)) & (np.abs(integers) < MOST)
    exact: NDArray[np.bool_] = np.all(same, axis=1)
    return exact


def _decimals(rows: Floats) -> Iterator[Scaled | None]:
    places = places_of(rows)
    for scaled in _small(to_integers(rows, places), places.tolist()):
        yield None if scaled.places == RAW else scaled


def _small(rows: Integers, places: Sequence[int | None]) -> Iterator[Scaled]:
    bases = np.where(fit_32_bits(rows), 0, rows[:, 0])
    rows = rows - bases[:, None]
    ends = np.bitwise_or.reduce(rows, axis=1)
    shifts = np.bitwise_count((ends & -ends) - 1)
    return map(Scaled, rows >> shifts[:, None], places, bases.tolist(), shifts.tolist())
