"""One metric of many nodes: what is read of it, from rows and, of few nodes, from due hours too."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from timeseries.columns import Columns, Floats
from timeseries.decoded import DecodedHours
from timeseries.errors import InvalidQuery
from timeseries.fleet_rows import SLOT_MS, Fleet, Fold, Fresh, thd_fold
from timeseries.question import check_range
from timeseries.retention import Retention
from timeseries.stop import in_stoppable_thread, together
from timeseries.store import DAY_MS, HOUR_MS, Hour, InThread, Level, Place, TimeSeriesStore

MAX_NODES = 5000
MAX_ROWS = {Level.RAW: 2000, Level.FIVE_MINUTES: 10_000, Level.HOUR: 10_000}
"""In a call."""

MAX_DUE = 100
"""Due hours that a call decodes, of some 360 frames each; of sets that have more, none."""

MAX_PERCENTILES = 20
MAX_RANGE_MS = 366 * DAY_MS
ROWS_AT_ONCE = 250
"""Rows that are in memory at a time; between two readings a cancelled call ends."""


class Due(NamedTuple):
    """What the due hours of a range have; `are_in` unless they were too many."""

    columns: Fresh
    are_in: bool


def check_nodes(node_ids: Collection[str], check: str, metric: str) -> None:
    """Raise InvalidQuery for too many nodes, or where it is not said what of them."""
    if not check or not metric:
        raise InvalidQuery("say which check and which metric of the nodes")
    if len(node_ids) > MAX_NODES:
        raise InvalidQuery(f"{len(node_ids)} nodes in a call, which has at most {MAX_NODES}")


def check_reach(nodes: int, start_ms: int, end_ms: int) -> None:
    """Raise InvalidQuery where so many nodes have too many rows in the range even of the coarsest level."""
    check_range(start_ms, end_ms, MAX_RANGE_MS)
    if not _fit(Level.HOUR, nodes, start_ms, end_ms):
        raise InvalidQuery(f"nodes times months may be {MAX_ROWS[Level.HOUR]}, and here are {nodes} nodes")


def check_percentiles(percentiles: Sequence[float]) -> None:
    """Raise InvalidQuery for what is no percentile, or too many of them."""
    if any(not 0 <= each <= 100 for each in percentiles):
        raise InvalidQuery("a percentile is between 0 and 100")
    if len(percentiles) > MAX_PERCENTILES:
        raise InvalidQuery(f"{len(percentiles)} percentiles, of which there may be {MAX_PERCENTILES}")


def level_for(nodes: int, start_ms: int, end_ms: int, width_ms: float, retention: Retention) -> Level:
    """The coarsest level whose slots are no wider, or the finest that is kept, within the bound of rows."""
    kept = [
        level
        for level in Level
        if start_ms >= retention.begin_ms(level) and _fit(level, nodes, start_ms, end_ms)
    ]
    fitting = [level for level in kept if SLOT_MS[level] <= width_ms]
    return [Level.HOUR, *kept[:1], *fitting][-1]


async def read_due(store: TimeSeriesStore, in_thread: InThread, fleet: Fleet, decoded: DecodedHours) -> Due:
    """The due hours of the range.

    They are read before rows, so that an hour that a pass takes in meanwhile is not missed.
    """
    if len(fleet.node_ids) > MAX_DUE:
        return Due({}, are_in=False)
    found = await together(store.due_of(fleet.account_id, node_id) for node_id in fleet.node_ids)
    hours = [hour for of_node in found for hour in of_node if _touches(fleet, hour)]
    if len(hours) > MAX_DUE:
        return Due({}, are_in=False)
    which = (fleet.check, fleet.key)
    columns: dict[str, dict[int, Columns]] = {}
    for hour in hours:
        series = await decoded.columns(store, in_thread, hour, {which})
        if which in series:
            columns.setdefault(hour.node_id, {})[hour.start_ms] = series[which]
    return Due(columns, are_in=True)


async def fold_fleet(
    store: TimeSeriesStore, in_thread: InThread, fleet: Fleet, fresh: Fresh, fold: Fold
) -> dict[str, Floats]:
    """What `fold` makes of each node's slots, of nodes that have any; raises StoreUnavailable.

    Some nodes' rows at a time are read, and decoded in a thread; cancelled, it reads no more.
    """
    periods = _periods(fleet.level, fleet.start_ms, fleet.end_ms)
    at_once = max(1, ROWS_AT_ONCE // len(periods))
    found: dict[str, Floats] = {}
    for first in range(0, len(fleet.node_ids), at_once):
        nodes = fleet.node_ids[first : first + at_once]
        rows = await store.find(list(_places(fleet, nodes, periods, fresh)))
        of_nodes = {node_id: fresh[node_id] for node_id in nodes if node_id in fresh}
        found |= await in_stoppable_thread(in_thread, thd_fold, rows, fleet, of_nodes, fold)
    return found


def _places(fleet: Fleet, nodes: Iterable[str], periods: Sequence[int], fresh: Fresh) -> Iterator[Place]:
    """The rows of the level, and the raw ones of due hours that were passed before."""
    for node_id in nodes:
        series = fleet.series(node_id)
        yield from (Place(series, fleet.level, period_ms) for period_ms in periods)
        if fleet.level is not Level.RAW:
            yield from (Place(series, Level.RAW, start_ms) for start_ms in fresh.get(node_id, ()))


def _fit(level: Level, nodes: int, start_ms: int, end_ms: int) -> bool:
    return nodes * len(_periods(level, start_ms, end_ms)) <= MAX_ROWS[level]


def _periods(level: Level, start_ms: int, end_ms: int) -> Sequence[int]:
    """The starts of the periods of a range, which is not empty."""
    step_ms = HOUR_MS if level is Level.RAW else DAY_MS
    return sorted({level.period(time_ms) for time_ms in (*range(start_ms, end_ms, step_ms), end_ms - 1)})


def _touches(fleet: Fleet, hour: Hour) -> bool:
    first_ms, last_ms = (slot * SLOT_MS[fleet.level] for slot in fleet.slots())
    return first_ms - HOUR_MS < hour.start_ms < last_ms
