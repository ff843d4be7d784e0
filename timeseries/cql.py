"""A Cassandra session that Twisted can await: prepared statements, so many in flight, retried where they may.

With `timeseries.cql_writes` the one place that wraps the driver's asyncio coroutines.
"""

import asyncio
import socket
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import acsylla
from acsylla import errors as driver
from acsylla._cython.cyacsylla import Batch
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from timeseries.cql_writes import Group, Values, Writes, batches
from timeseries.errors import StoreUnavailable

T = TypeVar("T")
Value = str | int | bytes | Sequence[tuple[str | int, ...]]
"""What a statement may be run with: rows of values where it says IN."""

Named = tuple[str, Sequence[Values]]
"""A statement's name, and the values of each row that it is to be run for."""

IN_FLIGHT = 256
PAGE_ROWS = 1000
AGREE_MS = 30_000

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


class Access(NamedTuple):
    """How to reach a cluster: any of its nodes to begin with, then those of `datacenter`.

    `consistency` is the driver's word for how many copies have to answer. A request waits `request_s`, and
    what may pass is tried again after each of `retry_s`. With `ca`, a file, by TLS. `only_these`: no node but
    the contact points, which are then addresses, is talked to.
    """

    contact_points: Sequence[str]
    port: int = 9042
    datacenter: str = "datacenter1"
    consistency: str = "LOCAL_QUORUM"
    request_s: float = 5.0
    retry_s: Sequence[float] = (0.1, 0.5, 2.0)
    user: str = ""
    password: str = ""
    ca: Path | None = None
    only_these: bool = False


def each_node(access: Access) -> Iterator[Access]:
    """The contact points one by one, for what one node has to answer alone; raises StoreUnavailable."""
    for host in access.contact_points:
        try:
            found = socket.getaddrinfo(host, access.port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise StoreUnavailable(f"Cassandra at {host}: {error}") from error
        for address in dict.fromkeys(str(address) for *_, (address, *_) in found):
            yield access._replace(contact_points=[address], only_these=True)


def make_cluster(access: Access, **more: Any) -> Any:
    """The driver's cluster, not connected; needs a running loop. Raises StoreUnavailable."""
    if access.ca:
        more |= {"ssl_enabled": True, "ssl_trusted_cert": _certificate(access.ca)}
    if access.only_these:
        more |= {"whitelist_hosts": ",".join(access.contact_points)}
    if access.user:
        more |= {"username": access.user, "password": access.password}
    return acsylla.create_cluster(
        list(access.contact_points),
        port=access.port,
        request_timeout=access.request_s,
        consistency=access.consistency,
        **more,
    )


def _certificate(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise StoreUnavailable(f"the certificate {path} cannot be read ({error.strerror})") from error


def from_asyncio(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """What Twisted can await, of what only asyncio can: the driver's own coroutines."""
    return Deferred.fromFuture(asyncio.ensure_future(coroutine))


class Cql:
    """Statements for one cluster; every one may run twice, since timeouts and overload are tried again."""

    def __init__(self, access: Access, clock: IReactorTime) -> None:
        self._access, self._clock = access, clock
        self._slots = DeferredSemaphore(IN_FLIGHT)
        self._writes = Writes(self._send_batch, self._failed)
        self._session: Any = None
        self._prepared: dict[str, Any] = {}

    async def open(self) -> None:
        """Connect; raises StoreUnavailable."""
        await deferLater(self._clock, 0)  # The driver looks for the running loop.
        cluster = make_cluster(
            self._access,
            load_balance_dc_aware=self._access.datacenter,
            exponential_reconnect_base_delay_ms=100,
            exponential_reconnect_max_delay_ms=2000,
            max_schema_wait_time_ms=AGREE_MS,
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
        self._open_session()
        return await self._execute(acsylla.create_statement(text))

    async def ask(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of a statement that is not prepared: one page of them."""
        return [row.as_tuple() for row in await self.tell(text)]

    async def run(self, name: str, *values: Value) -> Any:
        """The result of a prepared statement; raises StoreUnavailable."""
        return await self._execute(self._bind(name, values))

    async def run_all(self, name: str, many: Iterable[Values], key: int) -> None:
        """Run it for each of these values; all end before the first failure is raised.

        The first `key` values name the partition, and those of a partition come one after another.
        """
        if named := [(name, batch) for batch in batches(many, key)]:
            await self._writes.run(named)

    def _together(self, name: str, batch: Sequence[Values]) -> Any:
        """One statement; made when it is sent, as it has a copy of the values."""
        if len(batch) == 1:
            return self._bind(name, batch[0])
        self._open_session()
        bind, together = self._prepared[name].bind, acsylla.create_batch_unlogged()
        for values in batch:
            together.add_statement(bind(tuple(values)))
        return together

    async def rows(self, name: str, *values: Value) -> list[tuple[Any, ...]]:
        """All rows of a prepared SELECT, page after page."""
        statement = self._bind(name, values, page_size=PAGE_ROWS)
        rows: list[tuple[Any, ...]] = []
        while True:
            page = await self._execute(statement)
            rows += [row.as_tuple() for row in page]
            if not page.has_more_pages():
                return rows
            statement.set_page_state(page.page_state())

    def _bind(self, name: str, values: Sequence[Value], **options: int) -> Any:
        self._open_session()
        return self._prepared[name].bind(tuple(values), **options)

    def _open_session(self) -> Any:
        if self._session is None:
            raise StoreUnavailable("the store is closed")
        return self._session

    def _send(self, statement: Any) -> Coroutine[Any, Any, Any]:
        session = self._open_session()
        send = session.execute_batch if isinstance(statement, Batch) else session.execute
        coroutine: Coroutine[Any, Any, Any] = send(statement)
        return coroutine

    def _send_batch(self, named: Named) -> Coroutine[Any, Any, Any]:
        return self._send(self._together(*named))

    def _failed(self, named: Named, group: Group, error: Exception) -> None:
        """What is PASSING is tried again beside the others."""
        if isinstance(error, PASSING):
            again = Deferred.fromCoroutine(self._again(named))
            again.addCallbacks(lambda _: group.end(), lambda failure: group.end(failure.value))
        else:
            group.end(_unavailable(error))

    async def _again(self, named: Named) -> None:
        await self._execute(self._together(*named))

    async def _execute(self, statement: Any) -> Any:
        """The result of a statement; what is PASSING is tried again."""
        await self._slots.acquire()
        try:
            for wait_s in self._access.retry_s:
                try:
                    return await from_asyncio(self._send(statement))
                except PASSING:
                    await deferLater(self._clock, wait_s)
                except driver.CassException as error:
                    raise _unavailable(error) from error
            return await _mapped(self._send(statement))
        finally:
            self._slots.release()


async def _mapped(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await from_asyncio(coroutine)
    except driver.CassException as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> Exception:
    return StoreUnavailable(f"Cassandra: {error!r}") if isinstance(error, driver.CassException) else error
