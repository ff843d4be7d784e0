"""Blocks: the columns of one check and key of one node, an hour of them, as bytes at rest."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from timeseries.columns import NO_NUMBERS, Column, Columns, Kinds, Numbers, Times
from timeseries.errors import DamagedBlock
from timeseries.followers import Follower, find_followers
from timeseries.merging import Identities, identities_of
from timeseries.numbers import (
    Pack,
    Packed,
    pack,
    pack_scaled,
    restored,
    scale_all,
    unpack,
    unpack_integers,
    unpack_scaled,
)
from timeseries.scaling import RAW, Integers, Scaled
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
_origins_decoder = msgspec.msgpack.Decoder(PackedTexts)


def encode_block(columns: Columns) -> bytes:
    """The bytes of columns that have a row at least."""
    return encode_blocks([columns])[0]


def encode_blocks(series: Sequence[Columns]) -> list[bytes]:
    """Those of the columns of each; of one node and hour, they cost less together."""
    numbers = _scaled(series)
    off = [dict(_off(each, len(columns.times))) for columns, each in zip(series, numbers, strict=True)]
    alone = [each for some in numbers for each in some if isinstance(each, Scaled)]
    packed = iter(pack_scaled([*alone, *(each for some in off for _, each in some.values())]))
    of_series = [[next(packed) if isinstance(each, Scaled) else each for each in some] for some in numbers]
    blocks = []
    for columns, its, its_off in zip(series, of_series, off, strict=True):
        followers = {place: (next(packed), follows) for place, (follows, _) in its_off.items()}
        blocks.append(seal(KIND, _block(columns, its, followers), VERSION))
    return blocks


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


def decode_identities(sealed: bytes) -> Identities:
    """The frames of a block's rows, for a tenth of the time; raises DamagedBlock."""
    block = unseal(KIND, sealed, _decoder, VERSION, OLDEST)
    try:
        times = _times(block.times, block.size)
        return identities_of(times, _origins(_packer.encode(block.origins), block.size))
    except (RuntimeError, TypeError, ValueError, LookupError) as error:
        raise DamagedBlock(f"a block whose checksum is right does not decode: {error!r}") from error


def _scaled(series: Sequence[Columns]) -> list[list[Scaled | Pack | None]]:
    """The numbers of each metric of each of the series; None for one of texts."""
    columns = [column.numbers for each in series for column in each.metrics.values()]
    found = iter(scale_all([numbers for numbers in columns if len(numbers)]))
    return [
        [next(found) if len(column.numbers) else None for column in each.metrics.values()] for each in series
    ]


def _off(numbers: Sequence[Scaled | Pack | None], size: int) -> Iterator[tuple[int, tuple[Follower, Scaled]]]:
    """What metrics, by their places, that follow others are off them."""
    whole = {
        place: each
        for place, each in enumerate(numbers)
        if isinstance(each, Scaled) and len(each.integers) == size
    }
    integers = {place: each.integers for place, each in whole.items()}
    for place, follows in find_followers(integers).items():
        try:
            expected = follows.expected([integers[leader] for leader in follows.places])
        except ValueError:
            continue
        yield place, (follows, whole[place]._replace(integers=integers[place] - expected))


def _block(
    columns: Columns, numbers: Sequence[Pack | None], followers: Mapping[int, tuple[Packed, Follower]]
) -> Block:
    size = len(columns.times)
    return Block(
        size,
        _packed_times(columns.times.tobytes()),
        _packed_origins(tuple(columns.origins)),
        _packed_texts(columns.states, {}),
        _packed_texts(columns.statuses, columns.metrics),
        [
            _packed(name, column, size, *_shorter(numbers[place], followers.get(place)))
            for place, (name, column) in enumerate(columns.metrics.items())
        ],
    )


def _shorter(
    alone: Pack | None, follower: tuple[Packed, Follower] | None
) -> tuple[Pack | None, Follower | None]:
    if follower is None or not isinstance(alone, Packed):
        return alone, None
    off, follows = follower
    return follower if len(off.data) + len(_packer.encode(follows)) < len(alone.data) else (alone, None)


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


def _packed(
    name: str, column: Column, size: int, numbers: Pack | None, follows: Follower | None
) -> PackedColumn:
    return PackedColumn(
        name,
        len(column.rows),
        None if len(column.rows) == size else pack(column.rows),
        _packed_kinds(column.kinds.tobytes()),
        numbers,
        pack_texts(column.texts, {}) if column.texts else None,
        follows,
    )


def _packed_kinds(kinds: bytes) -> Pack:
    if kinds.count(kinds[:1]) == len(kinds):
        return kinds[0]
    return pack(np.frombuffer(kinds, dtype=np.uint8).astype(np.int64))


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
def _origins(packed: bytes, size: int) -> list[str]:
    """Remembered, too; nobody changes it."""
    return unpack_texts(_origins_decoder.decode(packed), size, {})


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
