"""One metric of many nodes over closed hours: the top of them, and what their values are together.

Each node counts with one value, made of its hourly rollups. Hours that no pass has taken in yet are left out.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
from twisted.logger import Logger

from timeseries.errors import DamagedBlock, InvalidQuery
from timeseries.question import check_range
from timeseries.rollup_rows import decode_rollup
from timeseries.rollups import Slots
from timeseries.stop import Stop, in_stoppable_thread
from timeseries.store import DAY_MS, HOUR_MS, InThread, Level, Place, Row, SeriesKey, TimeSeriesStore

MAX_NODES = 5000
MAX_ROWS = 10_000
MAX_LIMIT = 1000
MAX_RANGE_MS = 366 * DAY_MS
ROWS_AT_ONCE = 250
"""Rows that are in memory at a time; between two readings a cancelled call ends."""

_log = Logger(namespace="timeseries.rank")


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare these nodes by: one metric of one check and key, over the hours that the range touches.

    `by` says which value of a node counts; "latest" is for who has those in memory, and then values of before
    `start_ms` do not count. The `limit` greatest come back, or the least if `ascending`.
    """

    node_ids: list[str]
    check: str
    metric: str
    key: str = ""
    start_ms: int = 0
    end_ms: int = 0
    by: Literal["mean", "min", "max", "sum", "count", "latest"] = "mean"
    limit: int = 10
    ascending: bool = False
    percentiles: list[float] = []


class NodeValue(msgspec.Struct, frozen=True):
    """A node and its value."""

    node_id: str
    value: float


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """The `top`, in order, and of the values of all `counted` nodes that have one: total, mean, percentiles.

    Without any, total and mean are 0 and NaN, and so is every percentile NaN.
    """

    top: list[NodeValue]
    counted: int
    total: float
    mean: float
    percentiles: list[float]


OF_SLOTS: Mapping[str, Callable[[Slots], float]] = {
    "mean": lambda slots: float(np.sum(slots.total) / np.sum(slots.counts)),
    "min": lambda slots: float(np.min(slots.minimum)),
    "max": lambda slots: float(np.max(slots.maximum)),
    "sum": lambda slots: float(np.sum(slots.total)),
    "count": lambda slots: float(np.sum(slots.counts)),
}


def check_rank(rank: Rank, values: Collection[str]) -> None:
    """Raise InvalidQuery for what cannot be answered here, or is too much; `values` are those for `by`."""
    if rank.by not in values:
        raise InvalidQuery(f"a node has no value {rank.by!r} here, but {', '.join(values)}")
    if not rank.check or not rank.metric:
        raise InvalidQuery("say which check and which metric to compare nodes by")
    if len(rank.node_ids) > MAX_NODES:
        raise InvalidQuery(f"{len(rank.node_ids)} nodes in a call, which has at most {MAX_NODES}")
    if not 0 < rank.limit <= MAX_LIMIT:
        raise InvalidQuery(f"limit is {rank.limit}, not between 1 and {MAX_LIMIT}")
    if any(not 0 <= percentile <= 100 for percentile in rank.percentiles):
        raise InvalidQuery("a percentile is between 0 and 100")


async def run_rank(store: TimeSeriesStore, in_thread: InThread, account_id: str, rank: Rank) -> Ranked:
    """The answer, of rows alone, a few hundred of them at a time; raises InvalidQuery, StoreUnavailable."""
    check_rank(rank, OF_SLOTS)
    found: dict[str, list[Slots]] = {}
    places = _places(account_id, rank)
    for first in range(0, len(places), ROWS_AT_ONCE):
        rows = await store.find(places[first : first + ROWS_AT_ONCE])
        for node_id, slots in await in_stoppable_thread(in_thread, _thd_slots, rows, rank):
            found.setdefault(node_id, []).append(slots)
    value = OF_SLOTS[rank.by]
    return ranked({node_id: value(_joined(parts)) for node_id, parts in found.items()}, rank)


def ranked(values: Mapping[str, float], rank: Rank) -> Ranked:
    """The answer to a question, given each node's value; of equal ones the first by id."""
    sign = 1 if rank.ascending else -1
    order = sorted(values, key=lambda node_id: (sign * values[node_id], node_id))
    numbers = np.array(list(values.values()))
    return Ranked(
        top=[NodeValue(node_id, values[node_id]) for node_id in order[: rank.limit]],
        counted=len(values),
        total=float(np.sum(numbers)),
        mean=float(np.mean(numbers)) if values else np.nan,
        percentiles=[float(np.percentile(numbers, each)) if values else np.nan for each in rank.percentiles],
    )


def _places(account_id: str, rank: Rank) -> list[Place]:
    check_range(rank.start_ms, rank.end_ms, MAX_RANGE_MS)
    node_ids = dict.fromkeys(rank.node_ids)
    months = _months(rank.start_ms, rank.end_ms)
    if len(node_ids) * len(months) > MAX_ROWS:
        raise InvalidQuery(
            f"{len(node_ids)} nodes in {len(months)} months are too many; "
            f"nodes times months may be {MAX_ROWS}"
        )
    return [
        Place(SeriesKey(account_id, node_id, rank.check, rank.key), Level.HOUR, month)
        for node_id in node_ids
        for month in months
    ]


def _months(start_ms: int, end_ms: int) -> Sequence[int]:
    """The starts of the months of a range."""
    days = range(start_ms, end_ms, DAY_MS)
    return sorted({Level.HOUR.period(time_ms) for time_ms in (*days, end_ms - 1)})


def _thd_slots(stop: Stop, rows: Iterable[Row], rank: Rank) -> list[tuple[str, Slots]]:
    """Of each row the slots of the metric that are in the range, where it has any."""
    first, last = rank.start_ms // HOUR_MS, -(-rank.end_ms // HOUR_MS)
    found: list[tuple[str, Slots]] = []
    for row in rows:
        stop.thd_check()
        slots = _decoded(row, rank.metric)
        if slots is not None:
            within = slice(*np.searchsorted(slots.slots, (first, last)).tolist())
            found.append((row.place.series.node_id, slots.of(within)))
    return [(node_id, slots) for node_id, slots in found if len(slots.slots)]


def _decoded(row: Row, metric: str) -> Slots | None:
    try:
        return decode_rollup(row.data, [metric]).metrics.get(metric)
    except DamagedBlock as error:
        _log.error(
            "a damaged rollup of {node} is left out: {error}", node=row.place.series.node_id, error=error
        )
        return None


def _joined(parts: Sequence[Slots]) -> Slots:
    return Slots(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
