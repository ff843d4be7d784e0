"""Range queries: from stored frames to the columns of one check's metrics, as many points as a graph has."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from timeseries.errors import InvalidQuery
from timeseries.frames import CheckResult, Frame, decode_payload
from timeseries.store import DAY_MS, MAX_TIME_MS, TimeSeriesStore
from timeseries.table import Table, kind_of

T = TypeVar("T")

MAX_RANGE_MS = 31 * DAY_MS
MAX_POINTS = 100_000
LATEST_WINDOW_MS = 15 * 60_000
"""How much older than a node's newest frame a check's newest result may be: a frame has those then due."""


class InThread(Protocol):
    """Runs `thd_function(*arguments)` in a thread and gives its result, e.g. `partial(deferToThread)`."""

    def __call__(self, thd_function: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """The function's result."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What to read of one check of one node: start_ms <= time < end_ms; empty `metrics` means all of them.

    At most `max_points` points a metric come back, with a NaN where the data pauses for over three times its
    usual interval, so that a graph does not join what was apart; 0 means every point and nothing else.
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

    `resolution` says what was read: "raw", or "raw/N" where N milliseconds were folded into one point.
    """

    times: bytes
    columns: list[Column]
    resolution: str


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


async def run_query(
    store: TimeSeriesStore, in_thread: InThread, account_id: str, node_id: str, query: Query
) -> Series:
    """The answer to a query, read day by day, decoded in threads; raises InvalidQuery, StoreUnavailable."""
    _validate(query)
    table = Table(query.check, query.key, query.metrics)
    for start_ms in range(query.start_ms, query.end_ms, DAY_MS):
        end_ms = min(start_ms + DAY_MS, query.end_ms)
        frames = await store.read(account_id, node_id, start_ms, end_ms)
        await in_thread(table.thd_add, frames)
    return await in_thread(_thd_series, table, query)


async def latest_states(
    store: TimeSeriesStore, in_thread: InThread, account_id: str, node_id: str
) -> list[CheckState]:
    """The newest result of every check and key of a node, none if it has no data; raises StoreUnavailable."""
    newest = await store.latest(account_id, node_id)
    if newest is None:
        return []
    start_ms = newest.time_ms - LATEST_WINDOW_MS
    frames = await store.read(account_id, node_id, start_ms, newest.time_ms + 1)
    return await in_thread(_thd_states, frames)


def _validate(query: Query) -> None:
    if not query.check:
        raise InvalidQuery("a query needs a check")
    if not 0 <= query.start_ms < query.end_ms <= MAX_TIME_MS:
        raise InvalidQuery(f"the range from {query.start_ms} to {query.end_ms} ms is empty or out of bounds")
    if query.end_ms - query.start_ms > MAX_RANGE_MS:
        raise InvalidQuery(f"a range has at most {MAX_RANGE_MS // DAY_MS} days")
    if not 0 <= query.max_points <= MAX_POINTS:
        raise InvalidQuery(f"max_points is {query.max_points}, not between 0 and {MAX_POINTS}")


def _thd_series(table: Table, query: Query) -> Series:
    graph = table.graph(query.start_ms, query.end_ms, query.max_points)
    columns = [
        Column(
            name=line.name,
            kind=line.kind,
            values=line.values.tobytes(),
            minimum=line.minimum.tobytes(),
            maximum=line.maximum.tobytes(),
            texts=line.texts,
        )
        for line in graph.lines
    ]
    resolution = f"raw/{graph.width_ms}" if graph.width_ms else "raw"
    return Series(times=graph.times.tobytes(), columns=columns, resolution=resolution)


def _thd_states(frames: list[Frame]) -> list[CheckState]:
    newest: dict[tuple[str, str], CheckState] = {}
    for frame in frames:
        for result in decode_payload(frame.payload).results:
            newest[result.check, result.key] = _state(result, frame.time_ms)
    return [newest[which] for which in sorted(newest)]


def _state(result: CheckResult, time_ms: int) -> CheckState:
    metrics = [
        Metric(name, kind_of(value, name in result.rates), value if isinstance(value, str) else repr(value))
        for name, value in result.metrics.items()
    ]
    return CheckState(
        check=result.check,
        key=result.key,
        state=result.state,
        status=result.status,
        time_ms=time_ms,
        metrics=metrics,
    )
