"""The distributed store: frames, rows and marks in Cassandra, as `timeseries.cassandra_schema` lays them out.

Frames are written in bursts (`timeseries.bursts`), of batches with many in flight; rows by
`timeseries.cassandra_rows`. With one copy, what is written is held until the node's commit log is surely on
disk.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from twisted.internet.interfaces import IReactorTime

from timeseries.bursts import GATHER_S, Bursts
from timeseries.cassandra_rows import RowTables
from timeseries.cassandra_schema import Space
from timeseries.cassandra_statements import statements
from timeseries.cassandra_version import check_schema, look
from timeseries.cql import Access, Cql
from timeseries.frames import Frame
from timeseries.hold import HOLD_S, Hold
from timeseries.marks import MARK_S, SLACK_S, Marks, NodeHour, hours_of
from timeseries.retention import USUAL, Kept
from timeseries.stop import together
from timeseries.store import (
    DAY_MS,
    FUTURE_MS,
    LATEST_DAYS,
    NO_ACCOUNTS,
    Hour,
    Level,
    Place,
    Row,
    SeriesKey,
    Span,
    shard_of,
)

NOT_OVER = 0
"""The mark of an hour that may still be written to under the mark it has: no pass clears it."""


class CassandraStore:
    """A TimeSeriesStore in a keyspace of its own, which `timeseries.cassandra_migrate` makes and changes.

    With one copy of each row, `write` and `put` hold for `hold_s` seconds and write again what a restart of
    the node may have lost; with more copies a quorum has it, and nothing is held. For `mark_s` and `slack_s`
    see `timeseries.marks`; they are the same in all processes. `write` gathers for `gather_s` before that.
    """

    def __init__(
        self,
        access: Access,
        keyspace: str,
        clock: IReactorTime,
        *,
        replication: int = 1,
        gather_s: float = GATHER_S,
        hold_s: float = HOLD_S,
        mark_s: float = MARK_S,
        slack_s: float = SLACK_S,
        kept: Kept = USUAL,
    ) -> None:
        self._cql = Cql(access, clock)
        self._clock = clock
        self._space = Space(keyspace, access.datacenter, replication)
        self._hold = Hold(clock, hold_s, self._generation) if replication == 1 and hold_s else None
        self._marks = Marks(clock, mark_s, slack_s)
        self._bursts = Bursts(clock, gather_s, self._write)
        self._rows = RowTables(self._cql, clock, kept)

    async def open(self) -> None:
        """Connect, look at the schema, prepare the statements; raises SchemaMismatch, StoreUnavailable."""
        await self._cql.open()
        check_schema(await look(self._cql.ask, self._space.keyspace), self._space)
        for name, text in statements(self._space).items():
            await self._cql.prepare(name, text)
        if self._hold:
            await self._hold.look()

    async def close(self) -> None:
        """Let what is in flight finish, then disconnect."""
        self._bursts.begin()
        await self._cql.close()

    async def write(self, frames: Sequence[Frame]) -> None:
        """Answered by a quorum when it returns; on a single node, also held and found alive since."""
        if frames:
            await self._bursts.add(frames)

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin); day after day, page after page."""
        frames: list[Frame] = []
        for day in range(start_ms // DAY_MS, -(-end_ms // DAY_MS)):
            rows = await self._cql.rows("read", account_id, node_id, day, start_ms, end_ms)
            frames += [Frame(account_id, node_id, *row) for row in rows]
        return frames

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """Within the last LATEST_DAYS; one row of each day, backwards, until there is one."""
        horizon_ms = round(self._clock.seconds() * 1000) + FUTURE_MS
        today = horizon_ms // DAY_MS
        for day in range(today, today - LATEST_DAYS - 1, -1):
            row = (await self._cql.run("latest", account_id, node_id, day, horizon_ms)).first()
            if row:
                return Frame(account_id, node_id, *row.as_tuple())
        return None

    async def due(self, shard: int, before_ms: int) -> list[Hour]:
        """Those whose marks are over, so that a pass clears them."""
        hours = [self._hour(row) for row in await self._cql.rows("due", shard)]
        return [hour for hour in hours if hour.start_ms < before_ms and hour.mark != NOT_OVER]

    async def due_of(self, account_id: str, node_id: str) -> list[Hour]:
        """Ascending."""
        return [self._hour(row) for row in await self._cql.rows("due_of", *_node(account_id, node_id))]

    async def put(self, hour: Hour, rows: Sequence[Row]) -> None:
        """The rows first, each by itself; once they are safe, the mark goes.

        Nothing, when the hour is not due any more: its node was deleted, or another pass did the work.
        """
        due = await self.due_of(hour.account_id, hour.node_id)
        if hour.start_ms not in {each.start_ms for each in due}:
            return
        await self._held(lambda: self._rows.put(rows))
        if hour.mark != NOT_OVER:
            node = _node(hour.account_id, hour.node_id)
            await self._cql.run("settle", hour.mark, *node, hour.start_ms)

    async def rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """Ascending."""
        return await self._rows.rows(series, level, start_ms, end_ms)

    async def rows_of(self, spans: Sequence[Span]) -> list[list[Row]]:
        """Each by itself, side by side."""
        return await together(self._rows.rows(*span) for span in spans)

    async def find(self, places: Sequence[Place]) -> list[Row]:
        """In any order."""
        return await self._rows.find(places)

    async def keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """In order."""
        return await self._rows.keys(account_id, node_id)

    async def delete(self, account_id: str, node_id: str) -> None:
        """The marks first, so that no pass brings anything back; partition after partition."""
        await self._cql.run("delete_due", *_node(account_id, node_id))
        days = self._rows.days(Level.RAW)
        await self._cql.run_all("delete_day", [(account_id, node_id, day) for day in days], key=3)
        await self._rows.delete(account_id, node_id)

    async def expire(
        self,
        level: Level,  # noqa: ARG002 - the interface's
        before_ms: int,  # noqa: ARG002
        accounts: Mapping[str, int] = NO_ACCOUNTS,  # noqa: ARG002
    ) -> int:
        """Rows expire by themselves."""
        return 0

    async def _write(self, frames: list[Frame]) -> None:
        """Those of a node side by side: a batch of one partition costs least."""
        frames.sort(key=attrgetter("account_id", "node_id"))
        await self._held(lambda: self._insert(frames))

    async def _insert(self, frames: Sequence[Frame]) -> None:
        """The marks are there before the frames that they tell of, and are not over before these are."""
        hours = hours_of(frames)
        await self._mark(self._marks.due(hours))
        rows = (frame_row(frame, self._rows.lives_s(frame.account_id, Level.RAW)) for frame in frames)
        await self._cql.run_all("insert", rows, key=3)
        await self._mark(self._marks.outlived(hours))

    async def _mark(self, marks: dict[NodeHour, int]) -> None:
        if marks:
            rows = sorted(_mark_row(hour, mark) for hour, mark in marks.items())
            await self._cql.run_all("mark", rows, key=1)
            self._marks.made(marks)

    async def _held(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write, and on a single node hold it, and write again as long as the node starts anew meanwhile."""
        restarts = None
        while restarts is None or (self._hold and restarts != self._hold.restarts):
            if restarts is not None:
                self._marks.forget()
            restarts = self._hold.restarts if self._hold else 0
            await write()
            if self._hold:
                await self._hold.settle()

    async def _generation(self) -> tuple[str, int]:
        host, generation = (await self._cql.run("generation")).first().as_tuple()
        return str(host), generation

    def _hour(self, row: Iterable[object]) -> Hour:
        hour = Hour(*row)  # type: ignore[arg-type]
        return hour if self._marks.is_over(hour.mark) else hour._replace(mark=NOT_OVER)


def _node(account_id: str, node_id: str) -> tuple[int, str, str]:
    """Where a node's marks are."""
    return shard_of(node_id), account_id, node_id


def _mark_row(hour: NodeHour, mark: int) -> tuple[str | int, ...]:
    account_id, node_id, start_ms = hour
    return *_node(account_id, node_id), start_ms, mark, mark


def frame_row(frame: Frame, lives_s: int) -> tuple[str | int | bytes, ...]:
    """The values of the statement `insert`."""
    day = frame.time_ms // DAY_MS
    identity = frame.account_id, frame.node_id, day, frame.time_ms, frame.origin
    return *identity, frame.received_ms, frame.payload, lives_s
