"""Arrays of numbers as bytes: pcodec on what carries information, the rest in a few bytes beside it.

Floats that are decimals of a few places, as agents round them, are kept as the integers that they are when
multiplied by a power of ten. Integers lose the zero bits that all of them end with, and what is common to
them if they are large. Every number comes back bit for bit, -0.0 and subnormal ones too.
"""

from typing import NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, PagingSpec, wrapped

from timeseries.columns import Floats, Numbers

Integers = NDArray[np.int64]

PLACES = (0, 1, 2, 3, 6)
"""Decimal places that are tried."""

RAW = -1
"""In place of decimal places: floats that are no such decimals."""

LEVEL = 4
"""Of pcodec: half the time of its default, and the few hundred numbers of an hour get no smaller by more."""


class Scaled(NamedTuple):
    """Numbers as small integers, each of which stands for a number as it does in Packed."""

    integers: Integers
    places: int | None
    base: int
    shift: int


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Numbers packed: `data` is pcodec's bytes.

    They hold integers of `bits` bits; each stands for base + (integer << shift), and with `places` for that
    divided by ten to the power of them. If `places` is RAW, they hold floats.
    """

    data: bytes
    places: int | None
    bits: int
    base: int = 0
    shift: int = 0


Pack = Packed | int | float
"""Numbers packed, or the number itself if all are equal."""


def pack(numbers: Numbers) -> Pack:
    """At least one number, int64 or float64, none of them NaN, as what a block keeps."""
    found = scaled(numbers)
    return pack_scaled(found) if isinstance(found, Scaled) else found


def scaled(numbers: Numbers) -> Scaled | Pack:
    """As small integers; or packed at once if all are equal, or no decimals of a few places."""
    if numbers.tobytes() == numbers[:1].tobytes() * len(numbers):
        constant: int | float = numbers[0].item()
        return constant
    if numbers.dtype == np.int64:
        integers, places = cast("Integers", numbers), None
    elif found := decimals(cast("Floats", numbers)):
        integers, places = found
    else:
        return Packed(_compress(numbers, ModeSpec.auto(), DeltaSpec.auto()), RAW, 64)
    base = 0
    if not _fits(integers):
        base = int(integers[0])
        integers = integers - base
    ends = int(np.bitwise_or.reduce(integers))
    shift = (ends & -ends).bit_length() - 1
    return Scaled(integers >> shift, places, base, shift)


def pack_scaled(numbers: Scaled, expected: Integers | None = None) -> Packed:
    """Less what is expected of each, which has to be added to what `unpack_scaled` gives."""
    integers = numbers.integers if expected is None else numbers.integers - expected
    bits = 32 if _fits(integers) else 64
    stored = integers.astype(np.int32) if bits == 32 else integers
    either = (DeltaSpec.try_consecutive(1), DeltaSpec.no_op())
    data = min((_compress(stored, ModeSpec.classic(), delta) for delta in either), key=len)
    return Packed(data, numbers.places, bits, numbers.base, numbers.shift)


def unpack(packed: Pack, size: int) -> Numbers:
    """The numbers that were packed, `size` of them; raises RuntimeError or TypeError if they are not."""
    if isinstance(packed, int):
        return np.full(size, packed, dtype=np.int64)
    if isinstance(packed, float):
        return np.full(size, packed, dtype=np.float64)
    if packed.places == RAW:
        return _expand(packed.data, size, np.float64)
    return restored(packed, unpack_scaled(packed, size))


def unpack_scaled(packed: Pack | None, size: int) -> Integers:
    """The integers of Scaled numbers; raises TypeError for any others, besides what `unpack` raises."""
    if not isinstance(packed, Packed) or packed.places == RAW:
        raise TypeError("no integers")
    stored = _expand(packed.data, size, np.int32 if packed.bits == 32 else np.int64)
    return stored.astype(np.int64, copy=False)


def restored(packed: Packed, integers: Integers) -> Numbers:
    """The numbers that these integers stand for."""
    if packed.shift or packed.base:
        integers = (integers << packed.shift) + packed.base
    return integers if packed.places is None else integers / 10.0**packed.places


def unpack_integers(packed: Pack, size: int) -> Integers:
    """What was packed from integers; raises TypeError for anything else, besides what `unpack` raises."""
    numbers = unpack(packed, size)
    if numbers.dtype != np.int64:
        raise TypeError("floats in place of integers")
    return cast("Integers", numbers)


def unpack_floats(packed: Pack, size: int) -> Floats:
    """What was packed from floats; raises TypeError for anything else, besides what `unpack` raises."""
    numbers = unpack(packed, size)
    if numbers.dtype != np.float64:
        raise TypeError("integers in place of floats")
    return cast("Floats", numbers)


def decimals(numbers: Floats) -> tuple[Integers, int] | None:
    """The integers that give exactly these numbers when divided by ten to the power of so many places."""
    ends = numbers[0].item(), numbers[-1].item()
    for places in PLACES:
        power = 10.0**places
        if not all(abs(number) < 1e15 and round(number * power) / power == number for number in ends):
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            integers = np.rint(numbers * power).astype(np.int64)
        if (integers / power).tobytes() == numbers.tobytes():
            return integers, places
    return None


def _fits(integers: Integers) -> bool:
    """Whether 32 bits are enough."""
    return bool(integers.min() >= -(2**31) and integers.max() < 2**31)


def _compress(numbers: NDArray[np.generic], mode: ModeSpec, delta: DeltaSpec) -> bytes:
    config = ChunkConfig(LEVEL, mode, delta, PagingSpec.exact_page_sizes([len(numbers)]))
    file = wrapped.FileCompressor()
    chunk = file.chunk_compressor(numbers, config)
    return bytes(file.write_header() + chunk.write_meta() + chunk.write_page(0))


def _expand(data: bytes, size: int, dtype: type[np.generic]) -> Numbers:
    file, header = wrapped.FileDecompressor.new(data)
    numbers = np.empty(size, dtype=dtype)
    chunk, meta = file.chunk_decompressor(data[header:], f"{numbers.dtype.kind}{8 * numbers.itemsize}")
    chunk.read_page_into(data[header + meta :], size, numbers)
    return numbers
