"""Rollups as bytes at rest: a part that is packed, and beside it single hours as passes brought them.

A pass adds an hour, or puts it in place of its former self, without unpacking anything. When there are many,
or the last hour of the row's period has come, all is packed, which takes more time and less room.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import zstandard

from timeseries.errors import DamagedBlock
from timeseries.hours import HourPart, Hours
from timeseries.packed_slots import pack_slots, unpack_slots
from timeseries.rolling import sheets_of
from timeseries.rollups import Rollup, Slots, chained
from timeseries.sealed import seal, unseal
from timeseries.store import HOUR_MS

KIND = b"R"
VERSION = 2
MOST_HOURS = 24
"""That stay as they came."""


class RollupRow(msgspec.Struct, frozen=True, array_like=True):
    """A Rollup at rest: what is packed, and, in parts, hours that came `since` and count instead."""

    width_ms: int
    packed: bytes
    since: list[int]
    parts: list[Hours]


_decoder = msgspec.msgpack.Decoder(RollupRow)


def encode_rollup(rollup: Rollup) -> bytes:
    """The bytes of a rollup, packed; the same for the same rollup."""
    return seal(KIND, RollupRow(rollup.width_ms, pack_slots(sheets_of(rollup)), [], []), VERSION)


def decode_rollup(sealed: bytes, metrics: Collection[str] | None = None) -> Rollup:
    """The rollup, or of its metrics only these; raises DamagedBlock."""
    row = unseal(KIND, sealed, _decoder, VERSION)
    try:
        return Rollup(row.width_ms, _metrics(row, metrics))
    except (
        RuntimeError,
        TypeError,
        ValueError,
        LookupError,
        msgspec.MsgspecError,
        zstandard.ZstdError,
    ) as error:
        raise DamagedBlock(f"a rollup whose checksum is right does not decode: {error!r}") from error


def replace_hour(
    sealed: bytes | None, width_ms: int, hour_ms: int, parts: Sequence[HourPart], *, pack: bool
) -> bytes:
    """A row, or none, with these parts in place of all that it has of the hour; raises DamagedBlock.

    `pack` says that there will hardly be another hour.
    """
    row = RollupRow(width_ms, b"", [], []) if sealed is None else unseal(KIND, sealed, _decoder, VERSION)
    hour = hour_ms // HOUR_MS
    since, groups = sorted({*row.since, hour}), list(row.parts)
    if hour in row.since:
        groups = [less for group in groups if (less := group.less(hour)).hours]
    for part in parts:
        place = next((place for place, group in enumerate(groups) if group.takes(part)), len(groups))
        group = groups[place] if place < len(groups) else Hours(part.names, part.slots, [], [])
        groups[place : place + 1] = [group.plus(hour, part.packed)]
    replaced = seal(KIND, RollupRow(width_ms, row.packed, since, groups), VERSION)
    return encode_rollup(decode_rollup(replaced)) if pack or len(since) >= MOST_HOURS else replaced


def _metrics(row: RollupRow, wanted: Collection[str] | None) -> dict[str, Slots]:
    pieces: dict[str, list[Slots]] = {}
    for name, slots in _pieces(row, wanted):
        pieces.setdefault(name, []).append(slots)
    return {name: _whole(pieces[name]) for name in sorted(pieces)}


def _pieces(row: RollupRow, wanted: Collection[str] | None) -> Iterator[tuple[str, Slots]]:
    if row.packed:
        yield from _valid(row, unpack_slots(row.packed, wanted))
    for hours in row.parts:
        yield from hours.unpacked(HOUR_MS // row.width_ms, wanted)


def _valid(row: RollupRow, packed: Iterator[tuple[str, Slots]]) -> Iterator[tuple[str, Slots]]:
    """What is packed, less the hours that have come since."""
    of_hour = HOUR_MS // row.width_ms
    for name, slots in packed:
        if not row.since or slots.slots[-1] < row.since[0] * of_hour:
            yield name, slots
        elif np.any(kept := np.isin(slots.slots // of_hour, row.since, invert=True)):
            yield name, slots.of(kept)


def _whole(pieces: Sequence[Slots]) -> Slots:
    if len(pieces) == 1:
        return pieces[0]
    slots = chained(pieces)
    in_order = all(one.slots[-1] < other.slots[0] for one, other in pairwise(pieces))
    return slots if in_order else slots.of(np.argsort(slots.slots))
