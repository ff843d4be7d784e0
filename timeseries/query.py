"""Range queries: many checks of one node at once, each from its rows and from the frames of due hours."""

from collections.abc import Mapping, Sequence

from timeseries.answer import Read, thd_answer
from timeseries.collect import Which
from timeseries.columns import Columns
from timeseries.decoded import DecodedHours
from timeseries.errors import InvalidQuery
from timeseries.question import MAX_QUERIES, Query, Series, check_query, level_of
from timeseries.retention import Retention
from timeseries.stop import in_stoppable_thread, together
from timeseries.store import HOUR_MS, InThread, Level, Place, SeriesKey, TimeSeriesStore

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
    reads = await together(
        _read(store, SeriesKey(account_id, node_id, query.check, query.key), query, retention, fresh)
        for query in queries
    )
    return await in_stoppable_thread(in_thread, thd_answer, reads)


async def _read(
    store: TimeSeriesStore, series: SeriesKey, query: Query, retention: Retention, fresh: Fresh
) -> Read:
    level, which = level_of(query, retention), (query.check, query.key)
    hours = {
        start_ms: found[which]
        for start_ms, found in fresh.items()
        if which in found and _reaches(query, start_ms)
    }
    rows = await store.rows(series, level, level.period(query.start_ms), query.end_ms)
    places = [Place(series, Level.RAW, start_ms) for start_ms in hours if level is not Level.RAW]
    blocks = await store.find(places) if places else []
    return Read(
        query,
        level,
        {row.place.period_ms: row.data for row in rows},
        hours,
        {row.place.period_ms: row.data for row in blocks},
    )


def _reaches(query: Query, hour_ms: int) -> bool:
    return query.start_ms - HOUR_MS < hour_ms < query.end_ms
