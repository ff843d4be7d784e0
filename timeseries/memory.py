"""The in-memory twin of the stores: for tests, and for trying things out. Nothing outlives the process."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count

from twisted.internet.interfaces import IReactorTime

from timeseries.frames import Frame
from timeseries.store import (
    FUTURE_MS,
    HOUR_MS,
    NO_ACCOUNTS,
    Hour,
    Level,
    Place,
    Row,
    SeriesKey,
    Span,
    shard_of,
)

Identity = tuple[int, str]
Node = tuple[str, str]


class MemoryStore:
    """A TimeSeriesStore of dictionaries."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._frames: dict[Node, dict[Identity, Frame]] = defaultdict(dict)
        self._order: dict[Node, list[Identity]] = defaultdict(list)
        self._marks = count(1)
        self._due: dict[Node, dict[int, int]] = defaultdict(dict)
        self._deleted: dict[Node, int] = defaultdict(int)
        self._rows: dict[tuple[SeriesKey, Level], dict[int, Row]] = defaultdict(dict)

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go of; what was written stays."""

    async def write(self, frames: Sequence[Frame]) -> None:
        """As durable as memory is."""
        for frame in frames:
            node, identity = (frame.account_id, frame.node_id), (frame.time_ms, frame.origin)
            if identity not in self._frames[node]:
                insort(self._order[node], identity)
            self._frames[node][identity] = frame
            self._due[node][frame.time_ms // HOUR_MS * HOUR_MS] = next(self._marks)

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin)."""
        node = account_id, node_id
        order = self._order[node]
        within = order[bisect_left(order, (start_ms, "")) : bisect_left(order, (end_ms, ""))]
        return [self._frames[node][identity] for identity in within]

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """However old it is."""
        node = account_id, node_id
        horizon_ms = round(self._clock.seconds() * 1000) + FUTURE_MS
        before = bisect_left(self._order[node], (horizon_ms, ""))
        return self._frames[node][self._order[node][before - 1]] if before else None

    async def due(self, shard: int, before_ms: int) -> list[Hour]:
        """In the order of their nodes."""
        nodes = [node for node in self._due if shard_of(node[1]) == shard]
        return [hour for node in nodes for hour in await self.due_of(*node) if hour.start_ms < before_ms]

    async def due_of(self, account_id: str, node_id: str) -> list[Hour]:
        """Ascending."""
        return [Hour(account_id, node_id, *due) for due in sorted(self._due[account_id, node_id].items())]

    async def put(self, hour: Hour, rows: Sequence[Row]) -> None:
        """At once; nothing, when the node was deleted while the pass ran."""
        if hour.mark < self._deleted[hour.account_id, hour.node_id]:
            return
        for row in rows:
            self._rows[row.place.series, row.place.level][row.place.period_ms] = row
        hours = self._due[hour.account_id, hour.node_id]
        if hours.get(hour.start_ms) == hour.mark:
            del hours[hour.start_ms]

    async def rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """Ascending."""
        found = self._rows[series, level]
        return [found[period_ms] for period_ms in sorted(found) if start_ms <= period_ms < end_ms]

    async def rows_of(self, spans: Sequence[Span]) -> list[list[Row]]:
        """One after the other."""
        return [await self.rows(*span) for span in spans]

    async def find(self, places: Sequence[Place]) -> list[Row]:
        """In the order of the places."""
        found = (self._rows[place.series, place.level].get(place.period_ms) for place in places)
        return [row for row in found if row]

    async def keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """In order."""
        return sorted(
            {
                series
                for (series, _), rows in self._rows.items()
                if rows and series[:2] == (account_id, node_id)
            }
        )

    async def delete(self, account_id: str, node_id: str) -> None:
        """At once."""
        self._deleted[account_id, node_id] = next(self._marks)
        for kept in (self._frames, self._order, self._due):
            kept.pop((account_id, node_id), None)
        for series, level in [which for which in self._rows if which[0][:2] == (account_id, node_id)]:
            del self._rows[series, level]

    async def expire(self, level: Level, before_ms: int, accounts: Mapping[str, int] = NO_ACCOUNTS) -> int:
        """One by one."""
        gone = [
            (rows, period_ms)
            for (series, its_level), rows in self._rows.items()
            for period_ms in rows
            if its_level is level and period_ms < accounts.get(series.account_id, before_ms)
        ]
        for rows, period_ms in gone:
            del rows[period_ms]
        return len(gone)
