"""The rows of the distributed store: a table of each level, and one that tells what series a node has.

What a pass reads of a level, and what it writes, is in one partition, and so is one request.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache

from twisted.internet.interfaces import IReactorTime

from timeseries.cassandra_schema import ROWS, part_of
from timeseries.cql import Cql
from timeseries.retention import LATE_DAYS, Kept
from timeseries.stop import together
from timeseries.store import DAY_MS, MAX_TIME_MS, Level, Place, Row, SeriesKey

Part = tuple[str, str, int]
"""An account, a node, and the number of a part of its rows: the key of a partition."""


class RowTables:
    """By the prepared statements of `cql`; what is written is `kept` so long, then it expires by itself."""

    def __init__(self, cql: Cql, clock: IReactorTime, kept: Kept) -> None:
        self._cql, self._clock, self._kept = cql, clock, kept
        self.lives_s = cache(kept.lives_s)

    async def put(self, rows: Sequence[Row]) -> None:
        """Each replaces its former self; every write has ended when it returns or raises."""
        await self._cql.run_all("add_series", sorted({row.place.series for row in rows}), key=2)
        for level in ROWS:
            values = sorted(self._values(row) for row in rows if row.place.level is level)
            await self._cql.run_all(f"put:{level.value}", values, key=3)

    async def rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """Ascending; the parts are read side by side."""
        account_id, node_id, *which = series
        pages = await together(
            self._cql.rows(f"rows:{level.value}", account_id, node_id, part, *which, start_ms, end_ms)
            for part in self._parts(level, start_ms, end_ms)
        )
        return [Row(Place(series, level, period_ms), data) for page in pages for period_ms, data in page]

    async def find(self, places: Sequence[Place]) -> list[Row]:
        """Those of a partition at once."""
        by_part: dict[tuple[Level, Part], list[Place]] = defaultdict(list)
        for place in places:
            by_part[place.level, _part(place)].append(place)
        pages = await together(self._find(*part, some) for part, some in by_part.items())
        return [row for page in pages for row in page]

    async def keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """In order."""
        return [SeriesKey(*row) for row in await self._cql.rows("series", account_id, node_id)]

    async def delete(self, account_id: str, node_id: str) -> None:
        """Part after part, whether there is something in it or not."""
        for level in ROWS:
            values = [(account_id, node_id, part) for part in self._parts(level, 0, MAX_TIME_MS)]
            await self._cql.run_all(f"delete:{level.value}", values, key=3)
        await self._cql.run("delete_series", account_id, node_id)

    def days(self, level: Level) -> range:
        """Those (since the epoch) that rows of a level may be of: what came late is kept since."""
        today = int(self._clock.seconds() * 1000) // DAY_MS
        oldest = today - 2 * self._kept.most_days(level) - LATE_DAYS - 1
        return range(level.period(oldest * DAY_MS) // DAY_MS, today + 4)

    async def _find(self, level: Level, part: Part, places: Sequence[Place]) -> list[Row]:
        wanted = [(*place.series[2:], place.period_ms) for place in places]
        found = await self._cql.rows(f"find:{level.value}", *part, wanted)
        return [
            Row(Place(SeriesKey(*part[:2], check, key), level, period_ms), data)
            for check, key, period_ms, data in found
        ]

    def _parts(self, level: Level, start_ms: int, end_ms: int) -> range:
        """The numbers of those of this range in which a node may have rows."""
        days = self.days(level)
        start_ms, end_ms = max(start_ms, days.start * DAY_MS), min(end_ms, days.stop * DAY_MS)
        return range(part_of(level, start_ms), part_of(level, end_ms - 1) + 1)

    def _values(self, row: Row) -> tuple[str | int | bytes, ...]:
        place, data = row
        lives_s = self.lives_s(place.series.account_id, place.level)
        return *_part(place), *place.series[2:], place.period_ms, data, lives_s


def _part(place: Place) -> Part:
    (account_id, node_id, *_), level, period_ms = place
    return account_id, node_id, part_of(level, period_ms)
