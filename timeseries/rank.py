"""One metric of many nodes: the top of them, and what their values are together.

Each node counts with one value, made of its hourly rollups, or of its five minutes where the range is shorter
than a day. Of sets of few nodes the hours that no pass has taken in yet are in it, too.
"""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Literal

import msgspec
import numpy as np

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
from timeseries.fleet_rows import VALUES, Fleet, whole
from timeseries.retention import Retention
from timeseries.rollups import FINE_MS
from timeseries.store import DAY_MS, HOUR_MS, InThread, TimeSeriesStore

MAX_LIMIT = 1000


class Rank(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare these nodes by: one metric of one check and key, over the slots that the range touches.

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


def check_rank(rank: Rank, values: Collection[str]) -> None:
    """Raise InvalidQuery for what cannot be answered here, or is too much; `values` are those for `by`."""
    if rank.by not in values:
        raise InvalidQuery(f"a node has no value {rank.by!r} here, but {', '.join(values)}")
    check_nodes(rank.node_ids, rank.check, rank.metric)
    if not 0 < rank.limit <= MAX_LIMIT:
        raise InvalidQuery(f"limit is {rank.limit}, not between 1 and {MAX_LIMIT}")
    check_percentiles(rank.percentiles)


async def run_rank(
    store: TimeSeriesStore,
    in_thread: InThread,
    account_id: str,
    rank: Rank,
    retention: Retention,
    decoded: DecodedHours,
) -> Ranked:
    """The answer; raises InvalidQuery, StoreUnavailable. Cancelled, it reads no more."""
    check_rank(rank, VALUES)
    nodes, start_ms, end_ms = list(dict.fromkeys(rank.node_ids)), rank.start_ms, rank.end_ms
    check_reach(len(nodes), start_ms, end_ms)
    width_ms = HOUR_MS if end_ms - start_ms >= DAY_MS else FINE_MS
    level = level_for(len(nodes), start_ms, end_ms, width_ms, retention)
    fleet = Fleet(account_id, nodes, rank.check, rank.key, rank.metric, start_ms, end_ms, level)
    due = await read_due(store, in_thread, fleet, decoded)
    found = await fold_fleet(store, in_thread, fleet, due.columns, partial(whole, by=rank.by))
    return ranked({node_id: float(value[0]) for node_id, value in found.items()}, rank)


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
