"""Arrays of numbers as bytes: pcodec on what carries information, the rest in a few bytes beside it.

Numbers are kept as the small integers of `timeseries.scaling`, floats that are no decimals as they are. Many
columns at once cost less than each by itself.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, PagingSpec, wrapped

from timeseries.columns import Floats, Numbers
from timeseries.scaling import RAW, Integers, Scaled, fit_32_bits, scaled_rows

LEVEL = 4
"""Of pcodec: half the time of its default, and the few hundred numbers of an hour get no smaller by more."""

SHORT = 0.5
"""Steps that are shorter than so much of the distance from the mean are kept in place of the numbers."""


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
    return pack_all([numbers])[0]


def pack_all(columns: Sequence[Numbers]) -> list[Pack]:
    """Each column as `pack` does."""
    found = scale_all(columns)
    packed = iter(pack_scaled([numbers for numbers in found if isinstance(numbers, Scaled)]))
    return [next(packed) if isinstance(numbers, Scaled) else numbers for numbers in found]


def scale_all(columns: Sequence[Numbers]) -> list[Scaled | Pack]:
    """As small integers; those that are all equal, or no decimals, are packed."""
    found: dict[int, Scaled | Pack] = {}
    for places in _alike(columns):
        scaled = scaled_rows(cast("Numbers", np.stack([columns[place] for place in places])))
        for place, numbers in zip(places, scaled, strict=True):
            found[place] = _raw(columns[place]) if numbers is None else numbers
    return [found[place] for place in range(len(columns))]


def pack_scaled(columns: Sequence[Scaled]) -> list[Packed]:
    """The integers of each, or the steps from one to the next, whichever pcodec seems to make less of."""
    found: dict[int, Packed] = {}
    for places in _alike([column.integers for column in columns]):
        rows = np.stack([columns[place].integers for place in places])
        choices = zip(places, rows, fit_32_bits(rows).tolist(), _are_smooth(rows).tolist(), strict=True)
        for place, integers, fit, is_smooth in choices:
            data = _compress(
                integers.astype(np.int32) if fit else integers, _config(len(integers), is_smooth)
            )
            found[place] = Packed(data, columns[place].places, 32 if fit else 64, *columns[place][2:])
    return [found[place] for place in range(len(columns))]


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
    return Scaled(integers, packed.places, packed.base, packed.shift).numbers()


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


def _alike(columns: Sequence[Numbers]) -> Iterable[list[int]]:
    """The places of columns that can be rows of one matrix."""
    found: dict[tuple[str, int], list[int]] = {}
    for place, numbers in enumerate(columns):
        found.setdefault((numbers.dtype.char, len(numbers)), []).append(place)
    return found.values()


def _raw(numbers: Numbers) -> Packed:
    config = ChunkConfig(
        LEVEL, ModeSpec.auto(), DeltaSpec.auto(), PagingSpec.exact_page_sizes([len(numbers)])
    )
    return Packed(_compress(numbers, config), RAW, 64)


def _are_smooth(rows: Integers) -> NDArray[np.bool_]:
    """Whether the steps are so short. Where pcodec would have made less of the other, it is a thousandth."""
    numbers = rows.astype(np.float64)
    steps = np.abs(numbers[:, 1:] - numbers[:, :-1]).mean(axis=1)
    spread = np.abs(numbers - numbers.mean(axis=1)[:, None]).mean(axis=1)
    smooth: NDArray[np.bool_] = steps < SHORT * spread
    return smooth


@lru_cache(maxsize=64)
def _config(size: int, is_smooth: bool) -> ChunkConfig:
    delta = DeltaSpec.try_consecutive(1) if is_smooth else DeltaSpec.no_op()
    return ChunkConfig(LEVEL, ModeSpec.classic(), delta, PagingSpec.exact_page_sizes([size]))


def _compress(numbers: NDArray[np.generic], config: ChunkConfig) -> bytes:
    file = wrapped.FileCompressor()
    chunk = file.chunk_compressor(numbers, config)
    return bytes(file.write_header() + chunk.write_meta() + chunk.write_page(0))


def _expand(data: bytes, size: int, dtype: type[np.generic]) -> Numbers:
    file, header = wrapped.FileDecompressor.new(data)
    numbers = np.empty(size, dtype=dtype)
    chunk, meta = file.chunk_decompressor(data[header:], f"{numbers.dtype.kind}{8 * numbers.itemsize}")
    chunk.read_page_into(data[header + meta :], size, numbers)
    return numbers
