"""A Cassandra session that Twisted can await: prepared statements, so many in flight, retried where they may.

The one place that wraps the driver's asyncio coroutines.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

import acsylla
from acsylla import errors as driver
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from timeseries.errors import StoreUnavailable

T = TypeVar("T")

IN_FLIGHT = 256
PAGE_ROWS = 1000
REQUEST_S = 5.0
RETRY_S = (0.1, 0.5, 2.0)

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


def from_asyncio(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """What Twisted can await, of what only asyncio can: the driver's own coroutines."""
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))


class Cql:
    """Statements for one cluster; every one may run twice, since timeouts and overload are tried again."""

    def __init__(
        self, contact_points: Sequence[str], port: int, datacenter: str, clock: IReactorTime
    ) -> None:
        self._contact_points = list(contact_points)
        self._port = port
        self._datacenter = datacenter
        self._clock = clock
        self._slots = DeferredSemaphore(IN_FLIGHT)
        self._session: Any = None
        self._prepared: dict[str, Any] = {}

    async def open(self) -> None:
        """Connect; raises StoreUnavailable."""
        await deferLater(self._clock, 0)  # The driver looks for the running loop.
        cluster = acsylla.create_cluster(
            self._contact_points,
            port=self._port,
            request_timeout=REQUEST_S,
            consistency="LOCAL_QUORUM",
            load_balance_dc_aware=self._datacenter,
            exponential_reconnect_base_delay_ms=100,
            exponential_reconnect_max_delay_ms=2000,
            application_name="picket",
        )
        self._session = await _mapped(cluster.create_session())

    async def close(self) -> None:
        """Let what is in flight finish, then disconnect."""
        session, self._session = self._session, None
        if session:
            await _mapped(session.close())

    async def prepare(self, name: str, text: str) -> None:
        """Make the statement known by this name."""
        self._prepared[name] = await _mapped(self._open_session().create_prepared(text))

    async def tell(self, text: str) -> Any:
        """Run a statement that is not prepared, such as one of the schema's."""
        return await self._execute(acsylla.create_statement(text))

    async def run(self, name: str, *values: str | int | bytes) -> Any:
        """The result of a prepared statement; raises StoreUnavailable."""
        return await self._execute(self._bind(name, values))

    def deferred(self, name: str, *values: str | int | bytes) -> Deferred[Any]:
        """The same, begun at once, beside others."""
        return Deferred.fromCoroutine(self.run(name, *values))

    async def run_all(self, name: str, many: Iterable[Sequence[str | int | bytes]]) -> None:
        """Run it for each of these values; all end before the first failure is raised."""
        running = [self.deferred(name, *values) for values in many]
        outcomes: list[tuple[bool, Any]] = await DeferredList(running, consumeErrors=True)
        for succeeded, outcome in outcomes:
            if not succeeded:
                outcome.raiseException()

    async def rows(self, name: str, *values: str | int | bytes) -> list[tuple[Any, ...]]:
        """All rows of a prepared SELECT, page after page."""
        statement = self._bind(name, values, page_size=PAGE_ROWS)
        rows: list[tuple[Any, ...]] = []
        while True:
            page = await self._execute(statement)
            rows += [row.as_tuple() for row in page]
            if not page.has_more_pages():
                return rows
            statement.set_page_state(page.page_state())

    def _bind(self, name: str, values: Sequence[str | int | bytes], **options: int) -> Any:
        self._open_session()
        return self._prepared[name].bind(values, **options)

    def _open_session(self) -> Any:
        if self._session is None:
            raise StoreUnavailable("the store is closed")
        return self._session

    async def _execute(self, statement: Any) -> Any:
        """The result of a statement; what is PASSING is tried again."""
        await self._slots.acquire()
        try:
            for wait_s in RETRY_S:
                try:
                    return await from_asyncio(self._open_session().execute(statement))
                except PASSING:
                    await deferLater(self._clock, wait_s)
            return await _mapped(self._open_session().execute(statement))
        except driver.CassException as error:
            raise StoreUnavailable(f"Cassandra: {error!r}") from error
        finally:
            self._slots.release()


async def _mapped(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await from_asyncio(coroutine)
    except driver.CassException as error:
        raise StoreUnavailable(f"Cassandra: {error!r}") from error
