"""From rows and the columns of due hours to the metrics of one check, as many points as a graph has.

Everything here runs in threads, and ends early when it is told to.
"""

from collections.abc import Iterator
from typing import NamedTuple

from twisted.logger import Logger

from timeseries.blocks import decode_block
from timeseries.columns import Columns
from timeseries.compaction import merged, slots_of
from timeseries.errors import DamagedBlock
from timeseries.graph import Graph, lay_out
from timeseries.question import WIDTH_MS, Column, Query, Series, resolution
from timeseries.reduce import reduced, reduced_rollup
from timeseries.rollup_rows import decode_rollup
from timeseries.rollups import Rollup, joined_rollups, replace_slots
from timeseries.stop import Stop
from timeseries.store import Level

_log = Logger(namespace="timeseries.query")


class Read(NamedTuple):
    """What a query is answered from, each by the start of its period or hour.

    `fresh` are the columns of due hours; `blocks` the raw rows of these, where the level is another.
    """

    query: Query
    level: Level
    rows: dict[int, bytes]
    fresh: dict[int, Columns]
    blocks: dict[int, bytes]


def thd_answer(stop: Stop, reads: list[Read]) -> list[Series]:
    """The answer to each."""
    return [_series(stop, read) for read in reads]


def _series(stop: Stop, read: Read) -> Series:
    graph = (_raw if read.level is Level.RAW else _rolled)(stop, read)
    said = resolution(read.level, graph.width_ms)
    return Series(times=graph.times.tobytes(), columns=_columns(graph, read.query), resolution=said)


def _merged(stop: Stop, read: Read) -> Iterator[tuple[int, Columns]]:
    """What each due hour has, merged with its row."""
    for start_ms, columns in read.fresh.items():
        stop.thd_check()
        yield start_ms, merged(read.blocks.get(start_ms) or read.rows.get(start_ms), columns)


def _raw(stop: Stop, read: Read) -> Graph:
    query = read.query
    hours = dict(_merged(stop, read))
    for start_ms, data in read.rows.items():
        stop.thd_check()
        if start_ms not in hours and (columns := _decoded(data, query)) is not None:
            hours[start_ms] = columns
    parts = [hours[start_ms] for start_ms in sorted(hours)]
    graph = lay_out(parts, query.metrics, query.start_ms, query.end_ms)
    return reduced(graph, query.start_ms, query.end_ms, query.max_points)


def _decoded(block: bytes, query: Query) -> Columns | None:
    try:
        return decode_block(block, query.metrics or None, with_rows=False)
    except DamagedBlock as error:
        _log.error("a damaged row of {check} is left out: {error}", check=query.check, error=error)
        return None


def _rolled(stop: Stop, read: Read) -> Graph:
    query = read.query
    rollup = joined_rollups([Rollup(WIDTH_MS[read.level], {}), *_rollups(stop, read)])
    for start_ms, columns in _merged(stop, read):
        slots, count = slots_of(start_ms, columns, read.level)
        rollup = replace_slots(rollup, slots, start_ms, count)
    return reduced_rollup(rollup, query.start_ms, query.end_ms, query.max_points)


def _rollups(stop: Stop, read: Read) -> Iterator[Rollup]:
    for data in read.rows.values():
        stop.thd_check()
        try:
            yield decode_rollup(data, read.query.metrics or None)
        except DamagedBlock as error:
            _log.error(
                "a damaged rollup of {check} is left out: {error}", check=read.query.check, error=error
            )


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
