"""Values as they stand in frames turned into columns, those of many metrics at once."""

import struct
from collections.abc import Sequence

import msgspec
import numpy as np

from timeseries.columns import FLOAT, INT, RATE, Column, Floats, Rows, column_of, of_one_kind
from timeseries.frames import Value
from timeseries.scaling import Integers

FLOAT_TAG, FLOAT_BYTES = 0xCB, 9
"""What msgpack makes of a float: this byte, and eight more, the highest first."""

_packer = msgspec.msgpack.Encoder()


def columns_of(rows: Rows, values: Sequence[Sequence[Value]], rates: Sequence[bool]) -> list[Column]:
    """What `column_of` makes of each metric's values, which are in the same rows, one at least."""
    floats = [place for place, column in enumerate(values) if type(column[0]) is float]
    matrix = floats_of([values[place] for place in floats])
    numbers = {} if matrix is None else dict(zip(floats, matrix, strict=True))
    columns = zip(values, rates, strict=True)
    return [_column(rows, *column, numbers.get(place)) for place, column in enumerate(columns)]


def floats_of(columns: Sequence[Sequence[Value]]) -> Floats | None:
    """A matrix of columns that have as many values each, if all of these are floats.

    Numpy, after a look at the type of each value, takes ten times as long. Each float is 9 bytes to msgpack,
    with a mark: if the first has it, the next stands where it should, and so on.
    """
    if not columns:
        return None
    size = len(columns[0])
    try:
        packed = np.frombuffer(_packer.encode(columns), dtype=np.uint8)
    except OverflowError:  # An integer that is too large for msgpack.
        return None
    start, head = _head_bytes(len(columns)), _head_bytes(size)
    if len(packed) != start + len(columns) * (head + size * FLOAT_BYTES):
        return None
    octets = packed[start:].reshape(len(columns), -1)[:, head:].reshape(len(columns), size, FLOAT_BYTES)
    if np.any(octets[..., 0] != FLOAT_TAG):
        return None
    return np.ascontiguousarray(octets[..., 1:]).view(">f8")[..., 0].astype(np.float64)


def _head_bytes(size: int) -> int:
    """Of a msgpack array."""
    return 1 if size < 16 else 3 if size < 1 << 16 else 5


def _integers(values: Sequence[Value]) -> Integers | None:
    """If all are integers that fit."""
    try:
        return np.frombuffer(struct.pack(f"={len(values)}q", *values), dtype=np.int64)
    except struct.error:
        return None


def _column(rows: Rows, values: Sequence[Value], is_rate: bool, floats: Floats | None) -> Column:
    rate = RATE if is_rate else 0
    if floats is None and type(values[0]) is float and (alone := floats_of([values])) is not None:
        floats = alone[0]
    if floats is not None:
        return Column(rows, of_one_kind(FLOAT | rate, len(rows)), floats)
    if type(values[0]) is int and (integers := _integers(values)) is not None:
        return Column(rows, of_one_kind(INT | rate, len(rows)), integers)
    return column_of(rows, values, rate)
