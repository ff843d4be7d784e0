"""The newest result of every check and key of a node: of its newest frames, or of rows where none is left."""

from collections.abc import Iterable

import msgspec
import numpy as np

from timeseries.blocks import decode_block
from timeseries.collect import Which, collect
from timeseries.columns import RATE, Columns
from timeseries.frames import Frame, Value
from timeseries.store import DAY_MS, LATEST_DAYS, InThread, Level, Row, SeriesKey, TimeSeriesStore

WINDOW_MS = 15 * 60_000
"""How much older than a node's newest frame a check's newest result may be: a frame has those then due."""


class Metric(msgspec.Struct, frozen=True):
    """The value of a metric at one moment, as text: repr of the number, or the string itself."""

    name: str
    kind: str
    value: str


class CheckState(msgspec.Struct, frozen=True, kw_only=True):
    """The newest result of one check and key of a node, and its time."""

    check: str
    key: str
    state: str
    status: str
    time_ms: int
    metrics: list[Metric]


async def latest_states(
    store: TimeSeriesStore, in_thread: InThread, account_id: str, node_id: str, now_ms: int
) -> list[CheckState]:
    """In order of (check, key), none if the node has no data; raises StoreUnavailable."""
    newest = await store.latest(account_id, node_id)
    if newest is not None:
        start_ms = newest.time_ms - WINDOW_MS
        frames = await store.read(account_id, node_id, start_ms, newest.time_ms + 1)
        return await in_thread(_thd_of_frames, frames)
    start_ms = now_ms - LATEST_DAYS * DAY_MS
    keys = await store.keys(account_id, node_id)
    rows = [rows[-1] for key in keys if (rows := await store.rows(key, Level.RAW, start_ms, now_ms))]
    return await in_thread(_thd_of_rows, rows)


def _thd_of_frames(frames: list[Frame]) -> list[CheckState]:
    return _states(collect(frames).series.items())


def _thd_of_rows(rows: list[Row]) -> list[CheckState]:
    found = [(row.place.series, decode_block(row.data)) for row in rows]
    newest_ms = max((int(columns.times[-1]) for _, columns in found), default=0)
    recent = [(series, columns) for series, columns in found if columns.times[-1] >= newest_ms - WINDOW_MS]
    return _states((_which(series), columns) for series, columns in recent)


def _which(series: SeriesKey) -> Which:
    return series.check, series.key


def _states(found: Iterable[tuple[Which, Columns]]) -> list[CheckState]:
    return [_last_row(which, columns) for which, columns in sorted(found, key=lambda one: one[0])]


def _last_row(which: Which, columns: Columns) -> CheckState:
    last = len(columns.times) - 1
    metrics = {
        name: (column.values()[-1], bool(column.kinds[-1] & np.uint8(RATE)))
        for name, column in columns.metrics.items()
        if column.rows[-1] == last
    }
    return CheckState(
        check=which[0],
        key=which[1],
        state=columns.states[last],
        status=columns.statuses[last],
        time_ms=int(columns.times[last]),
        metrics=[_metric(name, value, is_rate) for name, (value, is_rate) in metrics.items()],
    )


def _metric(name: str, value: Value, is_rate: bool) -> Metric:
    if isinstance(value, str):
        return Metric(name, "string", value)
    kind = "gauge" if is_rate else "int" if isinstance(value, int) else "float"
    return Metric(name, kind, repr(value))
