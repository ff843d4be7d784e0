"""A pass: the frames of a due hour of a node become rows, merged with the rows that there are.

Nothing that a row has is lost by a pass, whether the frames of it are still there or have expired; a pass
that is repeated, or that finds the frames of another, makes the same rows.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from twisted.logger import Logger

from timeseries.blocks import decode_block, encode_block
from timeseries.collect import Collected, Which, collect
from timeseries.columns import Columns, merge
from timeseries.errors import DamagedBlock
from timeseries.rollup_rows import decode_rollup, encode_rollup
from timeseries.rollups import FINE_MS, Rollup, coarsen, replace_slots, roll
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
    start_ms = hour.start_ms
    frames = await store.read(hour.account_id, hour.node_id, start_ms, start_ms + HOUR_MS)
    collected = await in_thread(collect, frames)
    places = [place for which in collected.series for place in places_of(hour, which)]
    there = {row.place: row.data for row in await store.find(places)} if places else {}
    made = await in_thread(thd_make, hour, collected, there)
    await confirm()
    await store.put(hour, made.rows)
    row_bytes = sum(len(row.data) for row in made.rows)
    return Passed(len(frames), made.points, collected.unreadable, row_bytes)


def places_of(hour: Hour, which: Which) -> Iterator[Place]:
    """Where the rows of an hour of a check and key are: one of each level."""
    series = SeriesKey(hour.account_id, hour.node_id, *which)
    return (Place(series, level, level.period(hour.start_ms)) for level in Level)


def thd_make(hour: Hour, collected: Collected, there: Mapping[Place, bytes]) -> Made:
    """The rows that stand after the pass."""
    rows: list[Row] = []
    points = 0
    for which, fresh in collected.series.items():
        raw, *coarser = places_of(hour, which)
        columns = merged(there.get(raw), fresh)
        points += sum(len(column.rows) for column in columns.metrics.values())
        rows.append(Row(raw, encode_block(columns)))
        rows += _rolled(hour, columns, coarser, there)
    return Made(rows, points)


def merged(block: bytes | None, fresh: Columns) -> Columns:
    """A row's columns, if there is one, with those of the frames."""
    if block is None:
        return fresh
    try:
        return merge(decode_block(block), fresh)
    except DamagedBlock as error:
        _log.error("a damaged row is replaced by what its frames have: {error}", error=error)
        return fresh


def slots_of(hour_ms: int, columns: Columns, level: Level) -> tuple[Rollup, int]:
    """The slots of an hour at a level coarser than raw, and how many there may be."""
    fine = roll(columns, hour_ms, FINE_MS, FINE_SLOTS)
    return (coarsen(fine, HOUR_MS), 1) if level is Level.HOUR else (fine, FINE_SLOTS)


def _rolled(
    hour: Hour, columns: Columns, places: Sequence[Place], there: Mapping[Place, bytes]
) -> Iterator[Row]:
    for place in places:
        rollup, slots = slots_of(hour.start_ms, columns, place.level)
        old = _decoded(there.get(place), rollup.width_ms)
        yield Row(place, encode_rollup(replace_slots(old, rollup, hour.start_ms, slots)))


def _decoded(row: bytes | None, width_ms: int) -> Rollup:
    if row is None:
        return Rollup(width_ms, {})
    try:
        return decode_rollup(row)
    except DamagedBlock as error:
        _log.error("a damaged rollup is begun anew: {error}", error=error)
        return Rollup(width_ms, {})
