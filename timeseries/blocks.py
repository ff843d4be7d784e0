"""Blocks: the columns of one check and key of one node, an hour of them, as bytes at rest."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from timeseries.columns import NO_NUMBERS, Column, Columns, Kinds, Numbers, Times
from timeseries.errors import DamagedBlock
from timeseries.followers import Follower, find_followers
from timeseries.numbers import (
    RAW,
    Integers,
    Pack,
    Packed,
    Scaled,
    pack,
    pack_scaled,
    restored,
    scaled,
    unpack,
    unpack_integers,
    unpack_scaled,
)
from timeseries.sealed import seal, unseal
from timeseries.texts import PackedTexts, pack_texts, unpack_texts

T = TypeVar("T", bound=np.generic)

KIND, VERSION, OLDEST = b"B", 2, 1
"""In version 1 no column followed others, and none in texts was near to a metric."""
KEPT = 64
"""Arrays that are remembered: hours of a node, some kB each."""


class PackedColumn(msgspec.Struct, frozen=True, array_like=True):
    """A metric packed: `size` values, as numbers or else as texts, in these rows, or in every row.

    The numbers of one that `follows` others are what it is off them.
    """

    name: str
    size: int
    rows: Pack | None
    kinds: Pack
    numbers: Pack | None
    texts: PackedTexts | None
    follows: Follower | None = None


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Columns packed. Statuses may show metrics that have a number in every row."""

    size: int
    times: Pack
    origins: PackedTexts
    states: PackedTexts
    statuses: PackedTexts
    metrics: list[PackedColumn]


_decoder = msgspec.msgpack.Decoder(Block)
_packer = msgspec.msgpack.Encoder()


def encode_block(columns: Columns) -> bytes:
    """The bytes of columns that have a row at least."""
    size = len(columns.times)
    whole = {name: column.floats() for name, column in columns.metrics.items() if len(column.numbers) == size}
    block = Block(
        size,
        pack(columns.times),
        _packed_origins(tuple(columns.origins)),
        pack_texts(columns.states, {}),
        pack_texts(columns.statuses, whole),
        _packed_metrics(columns.metrics, size),
    )
    return seal(KIND, block, VERSION)


def decode_block(sealed: bytes, metrics: Collection[str] | None = None, *, with_rows: bool = True) -> Columns:
    """The columns of a block; raises DamagedBlock.

    With `metrics`, only those of them that it has. Without rows every origin, state and status is "": that is
    enough for a graph, takes a third of the time, and must not be merged.
    """
    block = unseal(KIND, sealed, _decoder, VERSION, OLDEST)
    try:
        return _columns(block, metrics, with_rows)
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        raise DamagedBlock(f"a block whose checksum is right does not decode: {error!r}") from error


@lru_cache(maxsize=16)
def _packed_origins(origins: tuple[str, ...]) -> PackedTexts:
    """Remembered, because all checks of a node nearly always have the same."""
    return pack_texts(origins, {})


def _packed_metrics(metrics: Mapping[str, Column], size: int) -> list[PackedColumn]:
    found = [scaled(column.numbers) if len(column.numbers) else None for column in metrics.values()]
    integers = {
        place: numbers.integers
        for place, numbers in enumerate(found)
        if isinstance(numbers, Scaled) and len(numbers.integers) == size
    }
    followers = find_followers(integers)
    return [
        _packed(name, column, size, *_packed_numbers(found[place], followers.get(place), integers))
        for place, (name, column) in enumerate(metrics.items())
    ]


def _packed_numbers(
    numbers: Scaled | Pack | None, follows: Follower | None, integers: Mapping[int, Integers]
) -> tuple[Pack | None, Follower | None]:
    """Alone, or off what follows from others, whichever is shorter."""
    if not isinstance(numbers, Scaled):
        return numbers, None
    alone = pack_scaled(numbers)
    if follows is None:
        return alone, None
    try:
        off = pack_scaled(numbers, follows.expected([integers[place] for place in follows.places]))
    except ValueError:
        return alone, None
    is_shorter = len(off.data) + len(_packer.encode(follows)) < len(alone.data)
    return (off, follows) if is_shorter else (alone, None)


def _packed(
    name: str, column: Column, size: int, numbers: Pack | None, follows: Follower | None
) -> PackedColumn:
    return PackedColumn(
        name,
        len(column.rows),
        None if len(column.rows) == size else pack(column.rows),
        pack(column.kinds.astype(np.int64)),
        numbers,
        pack_texts(column.texts, {}) if column.texts else None,
        follows,
    )


def _columns(block: Block, metrics: Collection[str] | None, with_rows: bool) -> Columns:
    shown = block.statuses.shown() if with_rows else set()
    numbers, every_row = _Numbers(block.metrics), _every_row(block.size)
    found = {
        packed.name: _column(packed, every_row, numbers.of(place))
        for place, packed in enumerate(block.metrics)
        if metrics is None or packed.name in metrics or packed.name in shown
    }
    whole = {name: found[name].floats() for name in shown}
    origins, states, statuses = (
        unpack_texts(each, block.size, whole) if with_rows else [""] * block.size
        for each in (block.origins, block.states, block.statuses)
    )
    kept = {name: column for name, column in found.items() if metrics is None or name in metrics}
    return Columns(_times(block.times, block.size), origins, states, statuses, kept)


@lru_cache(maxsize=KEPT)
def _times(packed: Pack, size: int) -> Times:
    """Remembered, because all checks of a node nearly always have the same."""
    return _constant(unpack_integers(packed, size))


@lru_cache(maxsize=KEPT)
def _every_row(size: int) -> Times:
    return _constant(np.arange(size))


@lru_cache(maxsize=KEPT)
def _of_one_kind(kind: int, size: int) -> Kinds:
    return _constant(np.full(size, kind, dtype=np.uint8))


def _constant(array: NDArray[T]) -> NDArray[T]:
    """The array, which many columns share."""
    array.flags.writeable = False
    return array


def _kinds(packed: PackedColumn) -> Kinds:
    if isinstance(packed.kinds, int):
        return _of_one_kind(packed.kinds, packed.size)
    return unpack(packed.kinds, packed.size).astype(np.uint8)


def _column(packed: PackedColumn, every_row: Times, numbers: Numbers) -> Column:
    return Column(
        every_row if packed.rows is None else unpack_integers(packed.rows, packed.size),
        _kinds(packed),
        numbers,
        unpack_texts(packed.texts, packed.size, {}) if packed.texts else (),
    )


class _Numbers:
    """The numbers of the metrics of a block, each unpacked once, though others follow it."""

    def __init__(self, metrics: Sequence[PackedColumn]) -> None:
        self._metrics = metrics
        self._alone: dict[int, Integers] = {}

    def of(self, place: int) -> Numbers:
        """Those of the metric at this place; raises as `unpack`, and LookupError."""
        packed = self._metrics[place]
        if packed.numbers is None:
            return NO_NUMBERS
        if not isinstance(packed.numbers, Packed) or packed.numbers.places == RAW:
            return unpack(packed.numbers, packed.size)
        return restored(packed.numbers, self._integers(place))

    def _integers(self, place: int) -> Integers:
        follows = self._metrics[place].follows
        if follows is None:
            return self._leader(place)
        expected = follows.expected([self._leader(leader) for leader in follows.places])
        return unpack_scaled(self._metrics[place].numbers, self._metrics[place].size) + expected

    def _leader(self, place: int) -> Integers:
        if (found := self._alone.get(place)) is None:
            packed = self._metrics[place]
            if packed.follows is not None:
                raise ValueError("a column that is followed follows others itself")
            found = self._alone[place] = unpack_scaled(packed.numbers, packed.size)
        return found
