"""Range queries: from rows and due frames to the metrics of one check, as many points as a graph has."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from twisted.logger import Logger

from timeseries.blocks import decode_block
from timeseries.collect import collect
from timeseries.columns import Columns
from timeseries.compaction import merged, slots_of
from timeseries.errors import DamagedBlock, InvalidQuery
from timeseries.frames import Frame
from timeseries.graph import Graph, lay_out
from timeseries.reduce import reduced, reduced_rollup
from timeseries.retention import Retention
from timeseries.rollup_rows import decode_rollup
from timeseries.rollups import FINE_MS, Rollup, joined_rollups, replace_slots
from timeseries.store import (
    DAY_MS,
    HOUR_MS,
    MAX_TIME_MS,
    InThread,
    Level,
    Place,
    SeriesKey,
    TimeSeriesStore,
)

MAX_RAW_MS = 31 * DAY_MS
MAX_RANGE_MS = 5 * 366 * DAY_MS
MAX_POINTS = 100_000
WIDTH_MS = {Level.FIVE_MINUTES: FINE_MS, Level.HOUR: HOUR_MS}

_log = Logger(namespace="timeseries.query")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to read of one check of one node: start_ms <= time < end_ms; empty `metrics` means all of them.

    At most `max_points` points a metric come back, with a NaN where the data pauses for over three times its
    usual interval, so that a graph does not join what was apart; 0 means every raw point and nothing else.
    """

    check: str
    key: str = ""
    metrics: list[str] = []
    start_ms: int
    end_ms: int
    max_points: int = 0


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a series. `values` are float64, little-endian, one per time, NaN for a gap.

    When the series was reduced, `minimum` and `maximum` (same form) hold each point's envelope; else they are
    empty. `kind` is the API's type word: int, float, gauge (a rate) or string; `texts` holds a string metric,
    one a time, "" for a gap.
    """

    name: str
    kind: str
    values: bytes = b""
    minimum: bytes = b""
    maximum: bytes = b""
    texts: list[str] = []


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a Query: `times` are int64 milliseconds, little-endian, ascending, shared by all columns.

    `resolution` says what was read: "raw", "5m" or "1h", and "/N" after it where N milliseconds were folded
    into one point. Of rollups `values` are means; text metrics are in raw data only.
    """

    times: bytes
    columns: list[Column]
    resolution: str


class _Read(NamedTuple):
    """What a query has to be answered from, each by the start of its period or hour.

    `frames` are those of the due hours, in time order; `blocks` their raw rows, where the level is another.
    """

    rows: dict[int, bytes]
    frames: dict[int, list[Frame]]
    blocks: dict[int, bytes]


async def run_query(
    store: TimeSeriesStore,
    in_thread: InThread,
    account_id: str,
    node_id: str,
    query: Query,
    retention: Retention,
) -> Series:
    """The answer to a query, decoded in a thread; raises InvalidQuery, StoreUnavailable."""
    _validate(query)
    level = level_of(query, retention)
    series = SeriesKey(account_id, node_id, query.check, query.key)
    return await in_thread(_thd_series, await _read(store, series, level, query), level, query)


def level_of(query: Query, retention: Retention) -> Level:
    """The coarsest level whose slots are no wider than a point, or one that still goes back to the start."""
    if not query.max_points:
        return Level.RAW
    width_ms = (query.end_ms - query.start_ms) / query.max_points
    kept = [level for level in Level if query.start_ms >= retention.begin_ms(level)] or [Level.HOUR]
    fitting = [level for level in kept if WIDTH_MS.get(level, 0) <= width_ms]
    return fitting[-1] if fitting else kept[0]


async def _read(store: TimeSeriesStore, series: SeriesKey, level: Level, query: Query) -> _Read:
    """In this order an hour that a pass takes in meanwhile is missed by none: its rows are read last."""
    account_id, node_id = series.account_id, series.node_id
    hours = [
        hour.start_ms
        for hour in await store.due_of(account_id, node_id)
        if query.start_ms - HOUR_MS < hour.start_ms < query.end_ms
    ]
    frames = {
        start_ms: await store.read(account_id, node_id, start_ms, start_ms + HOUR_MS) for start_ms in hours
    }
    rows = await store.rows(series, level, level.period(query.start_ms), query.end_ms)
    places = [Place(series, Level.RAW, start_ms) for start_ms in hours if level is not Level.RAW]
    blocks = await store.find(places) if places else []
    return _Read(
        {row.place.period_ms: row.data for row in rows},
        frames,
        {row.place.period_ms: row.data for row in blocks},
    )


def _validate(query: Query) -> None:
    if not query.check:
        raise InvalidQuery("a query needs a check")
    if not 0 <= query.start_ms < query.end_ms <= MAX_TIME_MS:
        raise InvalidQuery(f"the range from {query.start_ms} to {query.end_ms} ms is empty or out of bounds")
    if query.end_ms - query.start_ms > MAX_RANGE_MS:
        raise InvalidQuery(f"a range has at most {MAX_RANGE_MS // DAY_MS} days")
    if not query.max_points and query.end_ms - query.start_ms > MAX_RAW_MS:
        raise InvalidQuery(f"every point of more than {MAX_RAW_MS // DAY_MS} days; ask for max_points")
    if not 0 <= query.max_points <= MAX_POINTS:
        raise InvalidQuery(f"max_points is {query.max_points}, not between 0 and {MAX_POINTS}")


def _thd_series(read: _Read, level: Level, query: Query) -> Series:
    fresh = dict(_fresh(read, query))
    graph = _raw(read, fresh, query) if level is Level.RAW else _rolled(read, fresh, level, query)
    folded = graph.width_ms and graph.width_ms != WIDTH_MS.get(level)
    resolution = f"{level.value}/{graph.width_ms}" if folded else level.value
    return Series(times=graph.times.tobytes(), columns=_columns(graph, query), resolution=resolution)


def _fresh(read: _Read, query: Query) -> Iterator[tuple[int, Columns]]:
    """What the frames of each due hour have of the check and key, merged with the row of the hour."""
    for start_ms, frames in read.frames.items():
        columns = collect(frames).series.get((query.check, query.key))
        if columns is not None:
            yield start_ms, merged(read.blocks.get(start_ms) or read.rows.get(start_ms), columns)


def _raw(read: _Read, fresh: dict[int, Columns], query: Query) -> Graph:
    stored = {
        start_ms: columns
        for start_ms, data in read.rows.items()
        if start_ms not in fresh and (columns := _decoded(data, query)) is not None
    }
    hours = stored | fresh
    graph = lay_out(
        [hours[start_ms] for start_ms in sorted(hours)], query.metrics, query.start_ms, query.end_ms
    )
    return reduced(graph, query.start_ms, query.end_ms, query.max_points)


def _decoded(block: bytes, query: Query) -> Columns | None:
    try:
        return decode_block(block, query.metrics or None, with_rows=False)
    except DamagedBlock as error:
        _log.error("a damaged row of {check} is left out: {error}", check=query.check, error=error)
        return None


def _rolled(read: _Read, fresh: dict[int, Columns], level: Level, query: Query) -> Graph:
    rollup = joined_rollups([Rollup(WIDTH_MS[level], {}), *_rollups(read, query)])
    for start_ms, columns in fresh.items():
        slots, count = slots_of(start_ms, columns, level)
        rollup = replace_slots(rollup, slots, start_ms, count)
    return reduced_rollup(rollup, query.start_ms, query.end_ms, query.max_points)


def _rollups(read: _Read, query: Query) -> Iterator[Rollup]:
    for data in read.rows.values():
        try:
            yield decode_rollup(data, query.metrics or None)
        except DamagedBlock as error:
            _log.error("a damaged rollup of {check} is left out: {error}", check=query.check, error=error)


def _columns(graph: Graph, query: Query) -> list[Column]:
    """Those asked for, in that order."""
    lines = {line.name: line for line in graph.lines}
    wanted = query.metrics or list(lines)
    return [
        Column(
            name=line.name,
            kind=line.kind,
            values=line.values.tobytes(),
            minimum=line.minimum.tobytes(),
            maximum=line.maximum.tobytes(),
            texts=line.texts,
        )
        for line in (lines[name] for name in dict.fromkeys(wanted) if name in lines)
    ]
