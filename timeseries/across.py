"""One metric of many nodes over time: a point's total, mean, least and greatest value, and percentiles.

Each node counts in a point with one value, made of its slots there; of sets of few nodes the hours that no
pass has taken in yet are in it, too.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from timeseries.columns import Floats, Times
from timeseries.decoded import DecodedHours
from timeseries.errors import InvalidQuery
from timeseries.fleet import (
    check_nodes,
    check_percentiles,
    check_reach,
    fold_fleet,
    level_for,
    read_due,
)
from timeseries.fleet_rows import SLOT_MS, Fleet, folded
from timeseries.question import resolution
from timeseries.retention import Retention
from timeseries.stop import Stop, in_stoppable_thread
from timeseries.store import InThread, TimeSeriesStore

MAX_POINTS = 2000
MAX_CELLS = 2_000_000
"""Nodes times points."""


class Across(msgspec.Struct, frozen=True, kw_only=True):
    """What to show of these nodes: one metric of one check and key, in the range, in at most `max_points`.

    `by` says which value of a node counts in a point.
    """

    node_ids: list[str]
    check: str
    metric: str
    key: str = ""
    start_ms: int
    end_ms: int
    by: Literal["mean", "min", "max", "sum", "count"] = "mean"
    max_points: int = 300
    percentiles: list[float] = []


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """The points: `times` and `counts`, how many nodes have a value there, are int64, the rest float64.

    All are little-endian, NaN where no node has a value. `resolution` is as that of a Series. Unless
    `due_are_in`, the hours that no pass has taken in yet are left out.
    """

    times: bytes = b""
    counts: bytes
    total: bytes
    mean: bytes
    least: bytes
    greatest: bytes
    percentiles: list[bytes]
    resolution: str = ""
    due_are_in: bool = False


async def run_across(
    store: TimeSeriesStore,
    in_thread: InThread,
    account_id: str,
    across: Across,
    retention: Retention,
    decoded: DecodedHours,
) -> Spread:
    """The answer; raises InvalidQuery, StoreUnavailable. Cancelled, it reads no more."""
    fleet, ratio, points = _fleet(account_id, across, retention)
    due = await read_due(store, in_thread, fleet, decoded)
    fold = partial(folded, by=across.by, first=fleet.slots()[0], ratio=ratio, points=points)
    found = await fold_fleet(store, in_thread, fleet, due.columns, fold)
    width_ms = ratio * SLOT_MS[fleet.level]
    spread = await in_stoppable_thread(in_thread, _thd_spread, list(found.values()), points, across)
    return msgspec.structs.replace(
        spread,
        times=(fleet.start_ms + np.arange(points) * width_ms).tobytes(),
        resolution=resolution(fleet.level, width_ms),
        due_are_in=due.are_in,
    )


def _fleet(account_id: str, across: Across, retention: Retention) -> tuple[Fleet, int, int]:
    """What is read, how many slots make a point, and how many points there are."""
    check_nodes(across.node_ids, across.check, across.metric)
    check_percentiles(across.percentiles)
    if not 0 < across.max_points <= MAX_POINTS:
        raise InvalidQuery(f"max_points is {across.max_points}, not between 1 and {MAX_POINTS}")
    nodes, start_ms, end_ms = list(dict.fromkeys(across.node_ids)), across.start_ms, across.end_ms
    check_reach(len(nodes), start_ms, end_ms)
    most = min(across.max_points, MAX_CELLS // max(1, len(nodes)))
    level = level_for(len(nodes), start_ms, end_ms, (end_ms - start_ms) / most, retention)
    width_ms = SLOT_MS[level]
    while (points := -(-end_ms // width_ms) - start_ms // width_ms) > most:
        width_ms += SLOT_MS[level]
    first_ms = start_ms // width_ms * width_ms
    which = (across.check, across.key, across.metric)
    fleet = Fleet(account_id, nodes, *which, first_ms, first_ms + points * width_ms, level)
    return fleet, width_ms // SLOT_MS[level], points


def _thd_spread(stop: Stop, values: Sequence[Floats], points: int, across: Across) -> Spread:
    """Of each node's values, a line a node."""
    ordered = np.sort(np.vstack([np.full(points, np.nan), *values]), axis=0)  # NaNs come last.
    stop.thd_check()
    counts = np.count_nonzero(~np.isnan(ordered), axis=0)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        total = np.where(counts, np.nansum(ordered, axis=0), np.nan)
        least, greatest, *others = (
            _percentile(ordered, counts, each).tobytes() for each in (0, 100, *across.percentiles)
        )
        return Spread(
            counts=counts.tobytes(),
            total=total.tobytes(),
            mean=(total / counts).tobytes(),
            least=least,
            greatest=greatest,
            percentiles=others,
        )


def _percentile(ordered: NDArray[np.float64], counts: Times, percentile: float) -> Floats:
    """Of each column, between the two values that are nearest to it."""
    places = np.maximum(counts - 1, 0) * (percentile / 100)
    below = np.floor(places).astype(np.int64)
    columns = np.arange(len(counts))
    low, high = ordered[below, columns], ordered[np.ceil(places).astype(np.int64), columns]
    return np.where(low == high, low, low + (high - low) * (places - below))
