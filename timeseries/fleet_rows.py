"""From rows and due hours of many nodes to the slots of one metric of each. Runs in threads."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from twisted.logger import Logger

from timeseries.blocks import decode_block
from timeseries.columns import TEXT, Columns, Floats, Rows
from timeseries.compaction import merged, slots_of
from timeseries.errors import DamagedBlock
from timeseries.rollup_rows import decode_rollup
from timeseries.rollups import FINE_MS, NONE, Rollup, Slots, joined_rollups, replace_slots
from timeseries.stop import Stop
from timeseries.store import HOUR_MS, Level, Row, SeriesKey

MINUTE_MS = 60_000
SLOT_MS = {Level.RAW: MINUTE_MS, Level.FIVE_MINUTES: FINE_MS, Level.HOUR: HOUR_MS}
"""Raw values are gathered by the minute, because some nodes measure every ten seconds, some every minute."""

Fold = Callable[[Slots], Floats]
"""What is made of a node's slots: at least one, each perhaps in several parts side by side."""

Fresh = Mapping[str, Mapping[int, Columns]]
"""What due hours have, by node and start of the hour."""

_log = Logger(namespace="timeseries.fleet")


class Fleet(NamedTuple):
    """A metric of one check and key, of these nodes, in the slots of a level that the range touches."""

    account_id: str
    node_ids: Sequence[str]
    check: str
    key: str
    metric: str
    start_ms: int
    end_ms: int
    level: Level

    def series(self, node_id: str) -> SeriesKey:
        """What is read of a node."""
        return SeriesKey(self.account_id, node_id, self.check, self.key)

    def slots(self) -> tuple[int, int]:
        """The first slot, and the one after the last."""
        width_ms = SLOT_MS[self.level]
        return self.start_ms // width_ms, -(-self.end_ms // width_ms)

    def rollup(self, slots: Slots = NONE) -> Rollup:
        """These slots of the metric."""
        return Rollup(SLOT_MS[self.level], {self.metric: slots} if len(slots.slots) else {})


def thd_fold(stop: Stop, rows: Sequence[Row], fleet: Fleet, fresh: Fresh, fold: Fold) -> dict[str, Floats]:
    """What `fold` makes of each node's slots in the range, of nodes that have any."""
    of_nodes: dict[str, dict[tuple[Level, int], bytes]] = {node_id: {} for node_id in fresh}
    for (series, level, period_ms), data in rows:
        of_nodes.setdefault(series.node_id, {})[level, period_ms] = data
    found: dict[str, Floats] = {}
    for node_id, data_of in of_nodes.items():
        slots = _slots(stop, fleet, data_of, fresh.get(node_id, {}))
        within = slots.of(slice(*np.searchsorted(slots.slots, fleet.slots()).tolist()))
        if len(within.slots):
            found[node_id] = fold(within)
    return found


def _slots(
    stop: Stop, fleet: Fleet, data_of: Mapping[tuple[Level, int], bytes], fresh: Mapping[int, Columns]
) -> Slots:
    rollups = []
    for (level, _), data in sorted(data_of.items(), key=lambda item: item[0][1]):
        stop.thd_check()
        if level is fleet.level:
            rollups.append(_decoded(fleet, data))
    rollup = rollups[0] if len(rollups) == 1 else joined_rollups([fleet.rollup(), *rollups])
    for start_ms, columns in fresh.items():
        stop.thd_check()
        whole = merged(data_of.get((Level.RAW, start_ms)), columns)
        hour = _of_hour(fleet, start_ms, whole)
        rollup = replace_slots(rollup, hour, start_ms, HOUR_MS // SLOT_MS[fleet.level])
    return rollup.metrics.get(fleet.metric, NONE)


def _decoded(fleet: Fleet, data: bytes) -> Rollup:
    try:
        if fleet.level is not Level.RAW:
            return decode_rollup(data, [fleet.metric])
        return _by_minute(fleet, decode_block(data, [fleet.metric], with_rows=False))
    except DamagedBlock as error:
        _log.error("a damaged row of {check} is left out: {error}", check=fleet.check, error=error)
        return fleet.rollup()


def _of_hour(fleet: Fleet, start_ms: int, columns: Columns) -> Rollup:
    if fleet.level is Level.RAW:
        return _by_minute(fleet, columns)
    metrics = {name: column for name, column in columns.metrics.items() if name == fleet.metric}
    return slots_of(start_ms, columns._replace(metrics=metrics), fleet.level)[0]


def _by_minute(fleet: Fleet, columns: Columns) -> Rollup:
    """Every number by itself, in the slot of its minute."""
    column = columns.metrics.get(fleet.metric)
    if column is None:
        return fleet.rollup()
    numbers, ones = column.floats(), np.ones(len(column.rows), dtype=np.int64)
    slots = Slots(columns.times[column.rows] // MINUTE_MS, numbers, numbers, numbers, ones, column.kinds)
    return fleet.rollup(slots.of(column.kinds & np.uint8(TEXT) == 0))


def folded(slots: Slots, by: str, first: int, ratio: int, points: int) -> Floats:
    """A value a point, each of `ratio` slots from `first` on; NaN where there is none."""
    of_points = (slots.slots - first) // ratio
    starts = np.append(0, np.flatnonzero(of_points[1:] != of_points[:-1]) + 1)
    values = np.full(points, np.nan)
    values[of_points[starts]] = VALUES[by](slots, starts)
    return values


def whole(slots: Slots, by: str) -> Floats:
    """One value of all of them."""
    return VALUES[by](slots, _FIRST)


_FIRST = np.zeros(1, dtype=np.int64)
VALUES: Mapping[str, Callable[[Slots, Rows], Floats]] = {
    "mean": lambda slots, starts: (
        np.add.reduceat(slots.total, starts) / np.add.reduceat(slots.counts, starts)
    ),
    "min": lambda slots, starts: np.minimum.reduceat(slots.minimum, starts),
    "max": lambda slots, starts: np.maximum.reduceat(slots.maximum, starts),
    "sum": lambda slots, starts: np.add.reduceat(slots.total, starts),
    "count": lambda slots, starts: np.add.reduceat(slots.counts, starts).astype(np.float64),
}
"""What a node counts with in a point, of the slots from each start to the next."""
