"""The slots of single hours of a series as bytes.

An hour is numbers, little-endian integers of eight bytes: the counts of its slots, and of each metric the
kinds and the bits of minimum, maximum and sum.

If it has several slots, `timeseries.extremes` makes integers of these three, and zstd packs it all: of each
metric the decimal places, a byte each, then the numbers, zigzag (0, -1, 1, -2 are 0, 1, 2, 3), their lowest
bytes first and their highest last.
"""

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import zstandard

from timeseries.columns import Floats, Kinds, Rows
from timeseries.extremes import to_floats, to_integers
from timeseries.rolling import Sheet
from timeseries.scaling import POWERS, RAW, Integers, Places

ROWS = 4
"""Of a metric."""

OfMetric = tuple[Kinds, Sequence[Floats]]
"""Kinds, and minimum, maximum and sum."""


class _Zstd(threading.local):
    """One thread at a time may use these."""

    def __init__(self) -> None:
        self.packer = zstandard.ZstdCompressor(level=1)
        self.unpacker = zstandard.ZstdDecompressor()


_zstd = _Zstd()


def to_bytes(sheet: Sheet, ends: Sequence[int]) -> list[bytes]:
    """An hour of each of the series of a sheet, given where the metrics of each end."""
    pieces = [slice(first, last) for first, last in pairwise([0, *ends])]
    return _plain(sheet, pieces) if len(sheet.slots.slots) == 1 else _packed(sheet, pieces)


def from_bytes(
    hours: Sequence[bytes], size: int, metrics: int, wanted: Sequence[int]
) -> tuple[Rows, Iterator[OfMetric]]:
    """The counts of the slots of hours that have the same metrics and so many slots, and each metric wanted.

    Raises ValueError and ZstdError for what are no such hours.
    """
    if size == 1:
        return _from_plain(hours, wanted)
    return _unpacked(hours, size, metrics, wanted)


def _plain(sheet: Sheet, pieces: Sequence[slice]) -> list[bytes]:
    _, minimum, maximum, total, counts, kinds = sheet.slots
    bits = np.stack((minimum, maximum, total), axis=1).view(np.int64)
    numbers = np.concatenate((kinds[:, None].astype(np.int64), bits), axis=1).astype("<i8")
    of_counts = counts[0].astype("<i8").tobytes()
    return [of_counts + numbers[piece].tobytes() for piece in pieces]


def _from_plain(hours: Sequence[bytes], wanted: Sequence[int]) -> tuple[Rows, Iterator[OfMetric]]:
    numbers = np.frombuffer(b"".join(hours), dtype="<i8").reshape(len(hours), -1)
    floats = numbers.view("<f8")
    firsts = (1 + ROWS * metric for metric in wanted)
    return numbers[:, 0], (
        (numbers[:, first].astype(np.uint8), [floats[:, first + row] for row in range(1, ROWS)])
        for first in firsts
    )


def _packed(sheet: Sheet, pieces: Sequence[slice]) -> list[bytes]:
    slots, minimum, maximum, total, counts, kinds = sheet.slots
    places, integers = to_integers(np.stack((minimum, maximum, total), axis=1), counts[0])
    numbers = np.concatenate((kinds[:, None].astype(np.int64), integers), axis=1)
    of_counts, octets = _octets(counts[:1]), _octets(numbers.reshape(-1, len(slots)))
    hours = (
        places[piece].tobytes()
        + np.concatenate((of_counts, octets[:, ROWS * piece.start : ROWS * piece.stop]), axis=1).tobytes()
        for piece in pieces
    )
    return [_zstd.packer.compress(hour) for hour in hours]


def _octets(numbers: Integers) -> Kinds:
    """Zigzag, and the bytes apart: (eight, rows, slots)."""
    zigzag = (numbers << 1) ^ (numbers >> 63)
    octets = zigzag.astype("<i8", copy=False).view(np.uint8).reshape(*numbers.shape, 8)
    return np.ascontiguousarray(octets.transpose(2, 0, 1))


def _unpacked(
    hours: Sequence[bytes], size: int, metrics: int, wanted: Sequence[int]
) -> tuple[Rows, Iterator[OfMetric]]:
    octets = np.frombuffer(b"".join(map(_zstd.unpacker.decompress, hours)), dtype=np.uint8)
    octets = octets.reshape(len(hours), -1)
    rows = octets[:, metrics:].reshape(len(hours), 8, -1, size)
    if len(wanted) < metrics:
        rows = rows[:, :, [0, *(1 + ROWS * metric + row for metric in wanted for row in range(ROWS))]]
    zigzag = np.ascontiguousarray(rows.transpose(2, 0, 3, 1)).view("<u8")[..., 0]
    numbers = (zigzag >> np.uint64(1)).view(np.int64) ^ -(zigzag & np.uint64(1)).view(np.int64)
    counts, of_metrics = numbers[0], numbers[1:].reshape(len(wanted), ROWS, len(hours), size)
    places = octets[:, wanted].view(np.int8).T
    return counts.ravel(), (
        (kinds.astype(np.uint8).ravel(), _floats(of_places, extremes, counts))
        for of_places, (kinds, *extremes) in zip(places, of_metrics, strict=True)
    )


def _floats(places: Places, extremes: Sequence[Integers], counts: Rows) -> list[Floats]:
    """Minimum, maximum and sum of a metric in several hours, flat."""
    low, span, rest = extremes
    floats = to_floats(low, span, rest, POWERS[places][:, None], counts)
    is_raw = places == RAW
    if np.any(is_raw):
        for exact, bits in zip(floats, extremes, strict=True):
            exact[is_raw] = bits[is_raw].view(np.float64)
    return [each.ravel() for each in floats]
