"""Blocks: the columns of one check and key of one node, an hour of them, as bytes at rest."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache

import msgspec
import numpy as np

from timeseries.columns import Column, Columns, Times, constant
from timeseries.errors import DamagedBlock
from timeseries.merging import Identities, identities_of
from timeseries.numbers import Pack, pack, unpack_integers
from timeseries.packed_columns import KEPT, PackedColumn, pack_columns, unpack_columns
from timeseries.sealed import seal, unseal
from timeseries.texts import PackedTexts, pack_texts, unpack_texts

KIND, VERSION, OLDEST = b"B", 2, 1
"""In version 1 no column followed others, and none in texts was near to a metric."""


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
_origins_decoder = msgspec.msgpack.Decoder(PackedTexts)


def encode_block(columns: Columns) -> bytes:
    """The bytes of columns that have a row at least."""
    return encode_blocks([columns])[0]


def encode_blocks(series: Sequence[Columns]) -> list[bytes]:
    """Those of the columns of each; of one node and hour, they cost less together."""
    packed = pack_columns(series)
    return [
        seal(KIND, _block(columns, metrics), VERSION) for columns, metrics in zip(series, packed, strict=True)
    ]


def decode_block(sealed: bytes, metrics: Collection[str] | None = None, *, with_rows: bool = True) -> Columns:
    """The columns of a block; raises DamagedBlock.

    With `metrics`, only those of them that it has. Without rows every origin, state and status is "": that is
    enough for a graph, takes a third of the time, and must not be merged.
    """
    with _opened(sealed) as block:
        return _columns(block, metrics, with_rows)


def decode_identities(sealed: bytes) -> Identities:
    """The frames of a block's rows, for a tenth of the time; raises DamagedBlock."""
    with _opened(sealed) as block:
        times = _times(block.times, block.size)
        return identities_of(times, _origins(_packer.encode(block.origins), block.size))


@contextmanager
def _opened(sealed: bytes) -> Iterator[Block]:
    """The block, of which what does not unpack is DamagedBlock."""
    block = unseal(KIND, sealed, _decoder, VERSION, OLDEST)
    try:
        yield block
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        raise DamagedBlock(f"a block whose checksum is right does not decode: {error!r}") from error


def _block(columns: Columns, metrics: list[PackedColumn]) -> Block:
    return Block(
        len(columns.times),
        _packed_times(columns.times.tobytes()),
        _packed_origins(tuple(columns.origins)),
        _packed_texts(columns.states, {}),
        _packed_texts(columns.statuses, columns.metrics),
        metrics,
    )


@lru_cache(maxsize=16)
def _packed_times(times: bytes) -> Pack:
    """Remembered, because all checks of a node nearly always have the same."""
    return pack(np.frombuffer(times, dtype=np.int64))


@lru_cache(maxsize=16)
def _packed_origins(origins: tuple[str, ...]) -> PackedTexts:
    """Remembered, too."""
    return pack_texts(origins, {})


def _packed_texts(texts: Sequence[str], metrics: Mapping[str, Column]) -> PackedTexts:
    """Of all metrics those that have a number in every row may be in the texts."""
    if texts.count(texts[0]) == len(texts):
        return _packed_text(texts[0], len(texts))
    whole = {name: each.floats() for name, each in metrics.items() if len(each.numbers) == len(texts)}
    return pack_texts(texts, whole)


@lru_cache(maxsize=64)
def _packed_text(text: str, size: int) -> PackedTexts:
    """One that is the same in all rows, most often a state, or no status."""
    return pack_texts([text] * size, {})


def _columns(block: Block, metrics: Collection[str] | None, with_rows: bool) -> Columns:
    shown = block.statuses.shown() if with_rows else set()
    wanted = None if metrics is None else {*metrics, *shown}
    found = unpack_columns(block.metrics, block.size, wanted)
    whole = {name: found[name].floats() for name in shown}
    origins, states, statuses = (
        unpack_texts(each, block.size, whole) if with_rows else [""] * block.size
        for each in (block.origins, block.states, block.statuses)
    )
    kept = {name: column for name, column in found.items() if metrics is None or name in metrics}
    return Columns(_times(block.times, block.size), origins, states, statuses, kept)


@lru_cache(maxsize=KEPT)
def _origins(packed: bytes, size: int) -> list[str]:
    """Remembered, too; nobody changes it."""
    return unpack_texts(_origins_decoder.decode(packed), size, {})


@lru_cache(maxsize=KEPT)
def _times(packed: Pack, size: int) -> Times:
    """Remembered, because all checks of a node nearly always have the same."""
    return constant(unpack_integers(packed, size))
