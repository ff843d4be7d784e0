"""The distributed store: frames in Cassandra, one row a frame, a partition for each node and day (UTC).

Rows are written with many in flight and no batch: each goes straight to its replica. Timeouts and overload
are tried again, since writing an identity twice is writing it once.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import acsylla
from acsylla import errors as driver
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame
from timeseries.hold import Hold
from timeseries.store import DAY_MS, FUTURE_MS, LATEST_DAYS

T = TypeVar("T")

IN_FLIGHT = 256
PAGE_ROWS = 1000
REQUEST_S = 5.0
RETRY_S = (0.1, 0.5, 2.0)
TTL_S = 16 * 86_400
"""Frames live two days longer than the raw retention of 14 days, for the late ones."""

PASSING = (
    driver.CassErrorLibRequestTimedOut,
    driver.CassErrorLibNoHostsAvailable,
    driver.CassErrorLibRequestQueueFull,
    driver.CassErrorLibNoStreams,
    driver.CassErrorLibWriteError,
    driver.CassErrorServerWriteTimeout,
    driver.CassErrorServerReadTimeout,
    driver.CassErrorServerUnavailable,
    driver.CassErrorServerOverloaded,
    driver.CassErrorServerIsBootstrapping,
)
"""What may succeed when it is tried again shortly."""

# Rows expire a day at a time, and nothing is ever deleted, so tombstones need not be kept for long.
TABLE = """
CREATE TABLE IF NOT EXISTS {keyspace}.frames (
    account text, node text, day int, time bigint, origin text, received bigint, payload blob,
    PRIMARY KEY ((account, node, day), time, origin)
) WITH gc_grace_seconds = 86400 AND compaction = {{
    'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'DAYS', 'compaction_window_size': 1}}
"""
KEYSPACE = """
CREATE KEYSPACE IF NOT EXISTS {keyspace}
WITH replication = {{'class': 'NetworkTopologyStrategy', '{datacenter}': {replication}}}
"""
INSERT = """
INSERT INTO {keyspace}.frames (account, node, day, time, origin, received, payload)
VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL {ttl_s}
"""
COLUMNS = "SELECT account, node, origin, time, received, payload FROM {keyspace}.frames "
READ = COLUMNS + "WHERE account = ? AND node = ? AND day = ? AND time >= ? AND time < ?"
LATEST = COLUMNS + (
    "WHERE account = ? AND node = ? AND day = ? AND time < ? ORDER BY time DESC, origin DESC LIMIT 1"
)
GENERATION = "SELECT host_id, gossip_generation FROM system.local"


def from_asyncio(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """What Twisted can await, of what only asyncio can: the driver's own coroutines."""
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))


class CassandraStore:
    """A TimeSeriesStore in a keyspace of its own, which `open` makes with `replication` copies of each row.

    With one copy, `write` holds for `hold_s` seconds (default 1) and writes again what a restart of the node
    may have lost; with more copies a quorum has it, and nothing is held.
    """

    def __init__(
        self,
        contact_points: Sequence[str],
        port: int,
        keyspace: str,
        clock: IReactorTime,
        *,
        replication: int = 1,
        datacenter: str = "datacenter1",
        ttl_s: int = TTL_S,
        hold_s: float = 1.0,
    ) -> None:
        self._contact_points = list(contact_points)
        self._port = port
        self._clock = clock
        self._names = {
            "keyspace": keyspace,
            "replication": replication,
            "datacenter": datacenter,
            "ttl_s": ttl_s,
        }
        self._hold = Hold(clock, hold_s, self._generation) if replication == 1 and hold_s else None
        self._slots = DeferredSemaphore(IN_FLIGHT)
        self._session: Any = None
        self._statements: dict[str, Any] = {}

    async def open(self) -> None:
        """Connect, make keyspace and table where they are missing, prepare the statements."""
        await deferLater(self._clock, 0)  # The driver looks for the running loop.
        self._session = await self._connect()
        for statement in (KEYSPACE, TABLE):
            await self._execute(acsylla.create_statement(statement.format_map(self._names)))
        for statement in (INSERT, READ, LATEST):
            text = statement.format_map(self._names)
            self._statements[statement] = await _mapped(self._session.create_prepared(text))
        if self._hold:
            await self._hold.look()

    async def close(self) -> None:
        """Let what is in flight finish, then disconnect."""
        session, self._session = self._session, None
        if session:
            await _mapped(session.close())

    async def write(self, frames: Sequence[Frame]) -> None:
        """Answered by a quorum when it returns; on a single node, also held and found alive since."""
        if not frames:
            return
        restarts = -1
        while self._hold is None or restarts != self._hold.restarts:
            restarts = self._hold.restarts if self._hold else 0
            await self._insert_all(frames)
            if self._hold is None:
                return
            await self._hold.settle()

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin); day after day, page after page."""
        frames: list[Frame] = []
        for day in range(start_ms // DAY_MS, -(-end_ms // DAY_MS)):
            statement = self._bind(READ, account_id, node_id, day, start_ms, end_ms, page_size=PAGE_ROWS)
            frames += await self._pages(statement)
        return frames

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """Within the last LATEST_DAYS; one row of each day, backwards, until there is one."""
        horizon_ms = round(self._clock.seconds() * 1000) + FUTURE_MS
        today = horizon_ms // DAY_MS
        for day in range(today, today - LATEST_DAYS - 1, -1):
            row = (await self._execute(self._bind(LATEST, account_id, node_id, day, horizon_ms))).first()
            if row:
                return Frame(*row.as_tuple())
        return None

    async def _connect(self) -> Any:
        cluster = acsylla.create_cluster(
            self._contact_points,
            port=self._port,
            request_timeout=REQUEST_S,
            consistency="LOCAL_QUORUM",
            load_balance_dc_aware=self._names["datacenter"],
            exponential_reconnect_base_delay_ms=100,
            exponential_reconnect_max_delay_ms=2000,
            application_name="picket",
        )
        return await _mapped(cluster.create_session())

    async def _insert_all(self, frames: Sequence[Frame]) -> None:
        rows = [Deferred.fromCoroutine(self._insert(frame)) for frame in frames]
        # All of them end before the first failure is told, so that nothing is left running.
        outcomes: list[tuple[bool, Any]] = await DeferredList(rows, consumeErrors=True)
        for succeeded, outcome in outcomes:
            if not succeeded:
                outcome.raiseException()

    async def _insert(self, frame: Frame) -> None:
        day = frame.time_ms // DAY_MS
        identity = frame.account_id, frame.node_id, day, frame.time_ms, frame.origin
        await self._execute(self._bind(INSERT, *identity, frame.received_ms, frame.payload))

    async def _pages(self, statement: Any) -> list[Frame]:
        frames: list[Frame] = []
        while True:
            page = await self._execute(statement)
            frames += [Frame(*row.as_tuple()) for row in page]
            if not page.has_more_pages():
                return frames
            statement.set_page_state(page.page_state())

    async def _generation(self) -> tuple[str, int]:
        row = (await self._execute(acsylla.create_statement(GENERATION))).first()
        host, generation = row.as_tuple()
        return str(host), generation

    def _bind(self, statement: str, *values: str | int | bytes, **options: int) -> Any:
        if self._session is None:
            raise StoreUnavailable("the store is closed")
        return self._statements[statement].bind(values, **options)

    async def _execute(self, statement: Any) -> Any:
        """The result of a statement that may be run twice; what is PASSING is tried again."""
        await self._slots.acquire()
        try:
            for wait_s in RETRY_S:
                try:
                    return await from_asyncio(self._session.execute(statement))
                except PASSING:
                    await deferLater(self._clock, wait_s)
            return await _mapped(self._session.execute(statement))
        except driver.CassException as error:
            raise StoreUnavailable(f"Cassandra: {error!r}") from error
        finally:
            self._slots.release()


async def _mapped(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await from_asyncio(coroutine)
    except driver.CassException as error:
        raise StoreUnavailable(f"Cassandra: {error!r}") from error
