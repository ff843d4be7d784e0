"""Blocks: the columns of one check and key of one node, an hour of them, as bytes at rest."""

from collections.abc import Collection
from functools import lru_cache
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from timeseries.columns import NO_NUMBERS, Column, Columns, Kinds, Times
from timeseries.errors import DamagedBlock
from timeseries.numbers import Pack, pack, unpack, unpack_integers
from timeseries.sealed import seal, unseal
from timeseries.texts import PackedTexts, pack_texts, unpack_texts

T = TypeVar("T", bound=np.generic)

KIND = b"B"
KEPT = 64
"""Arrays that are remembered: hours of a node, some kB each."""


class PackedColumn(msgspec.Struct, frozen=True, array_like=True):
    """A metric packed: `size` values, as numbers or else as texts, in these rows, or in every row."""

    name: str
    size: int
    rows: Pack | None
    kinds: Pack
    numbers: Pack | None
    texts: PackedTexts | None


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Columns packed. Statuses may show metrics that have a number in every row."""

    size: int
    times: Pack
    origins: PackedTexts
    states: PackedTexts
    statuses: PackedTexts
    metrics: list[PackedColumn]


_decoder = msgspec.msgpack.Decoder(Block)


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
        [_packed(name, column, size) for name, column in columns.metrics.items()],
    )
    return seal(KIND, block)


def decode_block(sealed: bytes, metrics: Collection[str] | None = None, *, with_rows: bool = True) -> Columns:
    """The columns of a block; raises DamagedBlock.

    With `metrics`, only those of them that it has. Without rows every origin, state and status is "": that is
    enough for a graph, takes a third of the time, and must not be merged.
    """
    block = unseal(KIND, sealed, _decoder)
    try:
        return _columns(block, metrics, with_rows)
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        raise DamagedBlock(f"a block whose checksum is right does not decode: {error!r}") from error


@lru_cache(maxsize=16)
def _packed_origins(origins: tuple[str, ...]) -> PackedTexts:
    """Remembered, because all checks of a node nearly always have the same."""
    return pack_texts(origins, {})


def _packed(name: str, column: Column, size: int) -> PackedColumn:
    return PackedColumn(
        name,
        len(column.rows),
        None if len(column.rows) == size else pack(column.rows),
        pack(column.kinds.astype(np.int64)),
        pack(column.numbers) if len(column.numbers) else None,
        pack_texts(column.texts, {}) if column.texts else None,
    )


def _columns(block: Block, metrics: Collection[str] | None, with_rows: bool) -> Columns:
    shown = block.statuses.shown() if with_rows else set()
    wanted = [
        packed
        for packed in block.metrics
        if metrics is None or packed.name in metrics or packed.name in shown
    ]
    every_row = _every_row(block.size)
    found = {packed.name: _column(packed, every_row) for packed in wanted}
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


def _column(packed: PackedColumn, every_row: Times) -> Column:
    return Column(
        every_row if packed.rows is None else unpack_integers(packed.rows, packed.size),
        _kinds(packed),
        NO_NUMBERS if packed.numbers is None else unpack(packed.numbers, packed.size),
        unpack_texts(packed.texts, packed.size, {}) if packed.texts else (),
    )
