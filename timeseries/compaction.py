"""A pass: the frames of a due hour of a node become rows, merged with the rows that there are.

Nothing that a row has is lost by a pass, whether the frames of it are still there or have expired; a pass
that is repeated, or that finds the frames of another, makes the same rows.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from twisted.logger import Logger

from timeseries.blocks import decode_block, decode_identities, encode_blocks
from timeseries.collect import Collected, Which, collect
from timeseries.columns import Columns
from timeseries.errors import DamagedBlock
from timeseries.hours import pack_hour
from timeseries.merging import has_all, identities_of, merge
from timeseries.question import WIDTH_MS
from timeseries.rolling import Sheet, coarsen_all, roll, roll_all
from timeseries.rollup_rows import replace_hour
from timeseries.rollups import FINE_MS, Rollup
from timeseries.store import HOUR_MS, Hour, InThread, Level, Place, Row, SeriesKey, TimeSeriesStore

FINE_SLOTS = HOUR_MS // FINE_MS

_log = Logger(namespace="timeseries.compaction")


class Passed(NamedTuple):
    """What a pass took in; `points` are values of metrics, those that rows had already included."""

    frames: int
    points: int
    unreadable: int
    row_bytes: int


class Made(NamedTuple):
    """The rows of a pass, and how many values are in the raw ones."""

    rows: list[Row]
    points: int


async def nothing() -> None:
    """Nobody else makes passes of this store."""


async def compact(
    store: TimeSeriesStore,
    in_thread: InThread,
    hour: Hour,
    confirm: Callable[[], Awaitable[None]] = nothing,
) -> Passed:
    """Make one pass; passes of one node must not overlap. Raises StoreUnavailable.

    `confirm` is awaited before anything is written, and may raise: then nothing is.
    """
    rows, passed = await _make(store, in_thread, hour)
    await confirm()
    await store.put(hour, rows)
    return passed


async def _make(store: TimeSeriesStore, in_thread: InThread, hour: Hour) -> tuple[list[Row], Passed]:
    """Nothing else of the pass is left when a store takes its time to keep the rows."""
    frames = await store.read(hour.account_id, hour.node_id, hour.start_ms, hour.start_ms + HOUR_MS)
    collected = await in_thread(collect, frames)
    places = [place for which in collected.series for place in places_of(hour, which)]
    there = {row.place: row.data for row in await store.find(places)} if places else {}
    made = await in_thread(thd_make, hour, collected, there)
    row_bytes = sum(len(row.data) for row in made.rows)
    return made.rows, Passed(len(frames), made.points, collected.unreadable, row_bytes)


def places_of(hour: Hour, which: Which) -> Iterator[Place]:
    """Where the rows of an hour of a check and key are: one of each level."""
    series = SeriesKey(hour.account_id, hour.node_id, *which)
    return (Place(series, level, level.period(hour.start_ms)) for level in Level)


def thd_make(hour: Hour, collected: Collected, there: Mapping[Place, bytes]) -> Made:
    """The rows that stand after the pass."""
    places = [list(places_of(hour, which)) for which in collected.series]
    stand = [
        merged(there.get(raw), fresh)
        for (raw, *_), fresh in zip(places, collected.series.values(), strict=True)
    ]
    rows = [Row(raw, block) for (raw, *_), block in zip(places, encode_blocks(stand), strict=True)]
    fine = roll_all(stand, hour.start_ms, FINE_SLOTS)
    rows += _replaced(hour, Level.FIVE_MINUTES, [place for _, place, _ in places], fine, there)
    hourly = coarsen_all(fine, FINE_SLOTS)
    rows += _replaced(hour, Level.HOUR, [place for *_, place in places], hourly, there)
    return Made(rows, sum(len(column.rows) for columns in stand for column in columns.metrics.values()))


def merged(block: bytes | None, fresh: Columns) -> Columns:
    """A row's columns, if there is one, with those of the frames."""
    if block is None:
        return fresh
    try:
        if has_all(identities_of(fresh.times, fresh.origins), decode_identities(block)):
            return fresh
        return merge(decode_block(block), fresh)
    except DamagedBlock as error:
        _log.error("a damaged row is replaced by what its frames have: {error}", error=error)
        return fresh


def slots_of(hour_ms: int, columns: Columns, level: Level) -> tuple[Rollup, int]:
    """The slots of an hour at a level coarser than raw, and how many there may be."""
    width_ms = WIDTH_MS[level]
    slots = HOUR_MS // width_ms
    return roll(columns, hour_ms, width_ms, slots), slots


def _replaced(
    hour: Hour, level: Level, places: Sequence[Place], sheets: Sequence[Sheet], there: Mapping[Place, bytes]
) -> Iterator[Row]:
    """The rows of a level with the slots of the hour replaced; the sheets have these of all series."""
    start_ms, width_ms = hour.start_ms, WIDTH_MS[level]
    is_last = level.period(start_ms) != level.period(start_ms + HOUR_MS)
    packed = pack_hour(sheets, start_ms // width_ms, len(places))
    for place, parts in zip(places, packed, strict=True):
        change = partial(replace_hour, width_ms=width_ms, hour_ms=start_ms, parts=parts, pack=is_last)
        try:
            yield Row(place, change(there.get(place)))
        except DamagedBlock as error:
            _log.error("a damaged rollup is begun anew: {error}", error=error)
            yield Row(place, change(None))
