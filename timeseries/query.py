"""Range queries: many checks of one node at once, each from its rows and from the frames of due hours."""

from collections.abc import Mapping, Sequence

from timeseries.answer import Read, thd_answer
from timeseries.collect import Which
from timeseries.columns import Columns
from timeseries.decoded import DecodedHours
from timeseries.errors import InvalidQuery
from timeseries.question import MAX_QUERIES, Query, Series, check_query, level_of
from timeseries.retention import Retention
from timeseries.stop import in_stoppable_thread
from timeseries.store import HOUR_MS, InThread, Level, Place, SeriesKey, Span, TimeSeriesStore

Fresh = dict[int, Mapping[Which, Columns]]
"""By the start of each due hour, what its frames have of the checks that are asked for."""


async def run_query(
    store: TimeSeriesStore,
    in_thread: InThread,
    account_id: str,
    node_id: str,
    query: Query,
    retention: Retention,
) -> Series:
    """The answer to one query; raises as `run_queries` does."""
    return (await run_queries(store, in_thread, account_id, node_id, [query], retention))[0]


async def run_queries(
    store: TimeSeriesStore,
    in_thread: InThread,
    account_id: str,
    node_id: str,
    queries: Sequence[Query],
    retention: Retention,
    decoded: DecodedHours | None = None,
) -> list[Series]:
    """The answers, in the order of the queries, decoded in threads; raises InvalidQuery, StoreUnavailable.

    A due hour is read and decoded once for all queries, or known to `decoded`; one at a time, so that no more
    frames are in memory. An hour that a pass takes in meanwhile is missed by none, because its rows are read
    last. Cancelled, it reads no more, and what decodes in a thread ends.
    """
    if len(queries) > MAX_QUERIES:
        raise InvalidQuery(f"{len(queries)} queries in a call, which has at most {MAX_QUERIES}")
    for query in queries:
        check_query(query)
    fresh: Fresh = {}
    for hour in await store.due_of(account_id, node_id):
        if wanted := {(query.check, query.key) for query in queries if _reaches(query, hour.start_ms)}:
            fresh[hour.start_ms] = await (decoded or DecodedHours()).columns(store, in_thread, hour, wanted)
    reads = await _read(store, account_id, node_id, queries, retention, fresh)
    return await in_stoppable_thread(in_thread, thd_answer, reads)


async def _read(
    store: TimeSeriesStore,
    account_id: str,
    node_id: str,
    queries: Sequence[Query],
    retention: Retention,
    fresh: Fresh,
) -> list[Read]:
    """The rows of all queries in one call; in another the raw rows of due hours, where others are wanted."""
    spans = [_span(account_id, node_id, query, retention) for query in queries]
    hours = [_hours(query, fresh) for query in queries]
    places = [
        Place(span.series, Level.RAW, start_ms)
        for span, some in zip(spans, hours, strict=True)
        for start_ms in some
        if span.level is not Level.RAW
    ]
    rows = await store.rows_of(spans)
    there = {row.place: row.data for row in await store.find(places)} if places else {}
    return [
        Read(
            query,
            span.level,
            {row.place.period_ms: row.data for row in found},
            some,
            {
                start_ms: there[place]
                for start_ms in some
                if (place := Place(span.series, Level.RAW, start_ms)) in there
            },
        )
        for query, span, found, some in zip(queries, spans, rows, hours, strict=True)
    ]


def _span(account_id: str, node_id: str, query: Query, retention: Retention) -> Span:
    level = level_of(query, retention)
    series = SeriesKey(account_id, node_id, query.check, query.key)
    return Span(series, level, level.period(query.start_ms), query.end_ms)


def _hours(query: Query, fresh: Fresh) -> dict[int, Columns]:
    """What due hours have for the query, by their starts."""
    which = query.check, query.key
    return {
        start_ms: found[which]
        for start_ms, found in fresh.items()
        if which in found and _reaches(query, start_ms)
    }


def _reaches(query: Query, hour_ms: int) -> bool:
    return query.start_ms - HOUR_MS < hour_ms < query.end_ms
