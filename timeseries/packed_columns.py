"""The metrics of blocks packed, those of all checks of a node at once: numbers cost by the call."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np

from timeseries.columns import NO_NUMBERS, Column, Columns, Kinds, Numbers, Rows, constant, of_one_kind
from timeseries.followers import Follower, find_followers
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
from timeseries.texts import PackedTexts, pack_texts, unpack_texts

KEPT = 64
"""Arrays that are remembered: hours of a node, some kB each."""

_packer = msgspec.msgpack.Encoder()


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


def pack_columns(series: Sequence[Columns]) -> list[list[PackedColumn]]:
    """The metrics of each of the series."""
    numbers = _scaled(series)
    off = [dict(_off(each, len(columns.times))) for columns, each in zip(series, numbers, strict=True)]
    alone = [each for some in numbers for each in some if isinstance(each, Scaled)]
    packed = iter(pack_scaled([*alone, *(each for some in off for _, each in some.values())]))
    of_series = [[next(packed) if isinstance(each, Scaled) else each for each in some] for some in numbers]
    followers = [{place: (next(packed), follows) for place, (follows, _) in some.items()} for some in off]
    return [_packed_columns(*each) for each in zip(series, of_series, followers, strict=True)]


def unpack_columns(
    metrics: Sequence[PackedColumn], size: int, wanted: Collection[str] | None
) -> dict[str, Column]:
    """Of a block of so many rows all metrics, or these; raises as `unpack`, and LookupError."""
    numbers, every_row = _Numbers(metrics), _every_row(size)
    return {
        packed.name: _column(packed, every_row, numbers.of(place))
        for place, packed in enumerate(metrics)
        if wanted is None or packed.name in wanted
    }


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


def _packed_columns(
    columns: Columns, numbers: Sequence[Pack | None], followers: Mapping[int, tuple[Packed, Follower]]
) -> list[PackedColumn]:
    return [
        _packed(name, column, len(columns.times), *_shorter(numbers[place], followers.get(place)))
        for place, (name, column) in enumerate(columns.metrics.items())
    ]


def _shorter(
    alone: Pack | None, follower: tuple[Packed, Follower] | None
) -> tuple[Pack | None, Follower | None]:
    if follower is None or not isinstance(alone, Packed):
        return alone, None
    off, follows = follower
    return follower if len(off.data) + len(_packer.encode(follows)) < len(alone.data) else (alone, None)


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


@lru_cache(maxsize=KEPT)
def _every_row(size: int) -> Rows:
    return constant(np.arange(size))


def _kinds(packed: PackedColumn) -> Kinds:
    if isinstance(packed.kinds, int):
        return of_one_kind(packed.kinds, packed.size)
    return unpack(packed.kinds, packed.size).astype(np.uint8)


def _column(packed: PackedColumn, every_row: Rows, numbers: Numbers) -> Column:
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
