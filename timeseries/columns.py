"""The rows of one check and key of one node as columns: what blocks keep, rollups sum up and graphs show.

Every value survives as what it was, an integer, a float or text, whatever its neighbours are and however
large it is; so does each row's identity, (time, origin).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from timeseries.frames import Value

S = TypeVar("S", bound=np.generic)

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Rows = NDArray[np.int64]
Kinds = NDArray[np.uint8]
Numbers = NDArray[np.int64] | NDArray[np.float64]

INT, FLOAT, TEXT, RATE = 1, 2, 4, 8
"""What a value is: one of the first three, and RATE if the agent made it from a counter."""

KIND_OF: dict[type, int] = {int: INT, float: FLOAT, str: TEXT}
TYPE_OF: dict[int, type[Value]] = {INT: int, FLOAT: float, TEXT: str}
NO_NUMBERS: Floats = np.empty(0)


class Column(NamedTuple):
    """A metric's values: `rows` (ascending) have one, of these `kinds`, in `numbers` or else in `texts`.

    `numbers` are int64 if all values are integers that fit, or float64 if each value is exactly one. Anything
    else is in `texts`, numbers as Python writes them.
    """

    rows: Rows
    kinds: Kinds
    numbers: Numbers = NO_NUMBERS
    texts: Sequence[str] = ()

    def values(self) -> list[Value]:
        """The values as they came, one for each of `rows`."""
        kinds = (self.kinds & ~np.uint8(RATE)).tolist()
        if len(self.texts):
            return [TYPE_OF[kind](text) for kind, text in zip(kinds, self.texts, strict=True)]
        numbers: list[Value] = self.numbers.tolist()
        if self.is_pure():
            return numbers
        return [TYPE_OF[kind](number) for kind, number in zip(kinds, numbers, strict=True)]

    def floats(self) -> Floats:
        """The values as floats: NaN for a text, infinite for an integer that is too large."""
        if len(self.texts):
            return np.array([_float(value) for value in self.values()], dtype=np.float64)
        return self.numbers.astype(np.float64, copy=False)

    def flags(self) -> int:
        """All kinds that occur, as one sum of INT, FLOAT, TEXT and RATE."""
        return int(np.bitwise_or.reduce(self.kinds))

    def is_pure(self) -> bool:
        """Whether it has integers only, as int64, or floats only."""
        if self.numbers.dtype == np.int64:
            return True
        return not len(self.texts) and not self.flags() & INT

    def between(self, first: int, last: int) -> "Column":
        """The values of rows `first` to `last` (exclusive), as rows from 0 on."""
        start, end = np.searchsorted(self.rows, (first, last))
        piece = Column(
            self.rows[start:end] - first,
            self.kinds[start:end],
            self.numbers[start:end],
            self.texts[start:end],
        )
        return piece if piece.is_pure() or start == end else joined([piece])

    def moved(self, places: Rows) -> "Column":
        """The column with row n at `places[n]`, left out if that is negative; not in order any more."""
        rows = places[self.rows]
        kept = rows >= 0
        texts = [text for text, keep in zip(self.texts, kept, strict=True) if keep] if self.texts else ()
        numbers = self.numbers[kept] if len(self.numbers) else NO_NUMBERS
        return Column(rows[kept], self.kinds[kept], numbers, texts)


class Columns(NamedTuple):
    """Rows in order of (time in ms, origin), and `metrics` by name in the order of names.

    A frame has a row for each of its results with this check and key, nearly always one.
    """

    times: Times
    origins: Sequence[str]
    states: Sequence[str]
    statuses: Sequence[str]
    metrics: dict[str, Column]

    def identities(self) -> list[tuple[int, str]]:
        """(time, origin) of each row: its frame."""
        return list(zip(self.times.tolist(), self.origins, strict=True))

    def between(self, start_ms: int, end_ms: int) -> "Columns":
        """The rows with start_ms <= time < end_ms."""
        if len(self.times) and start_ms <= self.times[0] and self.times[-1] < end_ms:
            return self
        first, last = np.searchsorted(self.times, (start_ms, end_ms)).tolist()
        rows = slice(first, last)
        metrics = {name: column.between(first, last) for name, column in self.metrics.items()}
        return Columns(
            self.times[rows],
            self.origins[rows],
            self.states[rows],
            self.statuses[rows],
            {name: column for name, column in metrics.items() if len(column.rows)},
        )


def constant(array: NDArray[S]) -> NDArray[S]:
    """The array, from now on: many columns share it."""
    array.flags.writeable = False
    return array


@lru_cache(maxsize=64)
def of_one_kind(kind: int, size: int) -> Kinds:
    """The kinds of so many values that are all alike."""
    return constant(np.full(size, kind, dtype=np.uint8))


def column_of(rows: Rows, values: Sequence[Value], rates: Kinds | int = 0) -> Column:
    """The column of these values, at least one; `rates` is RATE where they are rates, else 0."""
    types = set(map(type, values))
    if types == {float}:
        return Column(rows, _kinds(FLOAT, rates, len(rows)), np.array(values, dtype=np.float64))
    if types == {int}:
        try:
            return Column(rows, _kinds(INT, rates, len(rows)), np.array(values, dtype=np.int64))
        except OverflowError:
            pass
    kinds = np.array([KIND_OF[type(value)] for value in values], dtype=np.uint8) | np.asarray(
        rates, dtype=np.uint8
    )
    if all(map(_is_float, values)):
        return Column(rows, kinds, np.array(values, dtype=np.float64))
    return Column(rows, kinds, texts=list(map(str, values)))


def joined(pieces: Sequence[Column]) -> Column:
    """One column of several that share no row."""
    rows = np.concatenate([piece.rows for piece in pieces])
    kinds = np.concatenate([piece.kinds for piece in pieces])
    order = np.argsort(rows)
    if all(piece.is_pure() for piece in pieces) and len({piece.numbers.dtype for piece in pieces}) == 1:
        return Column(rows[order], kinds[order], np.concatenate([piece.numbers for piece in pieces])[order])
    values = [value for piece in pieces for value in piece.values()]
    return column_of(rows[order], [values[place] for place in order], kinds[order] & np.uint8(RATE))


def appended(old: Columns, new: Columns) -> Columns:
    """The rows of both, of which those of `new` come after all of `old`."""
    size = len(old.times)
    pieces: dict[str, list[Column]] = {name: [column] for name, column in old.metrics.items()}
    for name, column in new.metrics.items():
        pieces.setdefault(name, []).append(column._replace(rows=column.rows + size))
    return Columns(
        np.concatenate((old.times, new.times)),
        [*old.origins, *new.origins],
        [*old.states, *new.states],
        [*old.statuses, *new.statuses],
        {name: some[0] if len(some) == 1 else joined(some) for name, some in sorted(pieces.items())},
    )


def _kinds(kind: int, rates: Kinds | int, size: int) -> Kinds:
    if isinstance(rates, int):
        return of_one_kind(kind | rates, size)
    return rates | np.uint8(kind)


def _is_float(value: Value) -> bool:
    """Whether the value is exactly what its float is."""
    return not isinstance(value, str) and _float(value) == value


def _float(value: Value) -> float:
    if isinstance(value, str):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf if int(value) > 0 else -np.inf
