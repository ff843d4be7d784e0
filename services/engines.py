"""The broker and the store that the settings name; a driver is imported only when it is used."""

from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import DeferredLock

from eventframework.broker import Broker
from eventframework.topology import Topology
from picket.settings import Settings
from services.threads import DjangoThreads
from statslib import Stats
from timeseries.retention import kept
from timeseries.store import TimeSeriesStore

if TYPE_CHECKING:
    from timeseries.cql import Access

T = TypeVar("T")


def make_broker(
    settings: Settings, reactor: Any, topology: Topology, name: str, stats: Stats | None = None
) -> Broker:
    """The broker, not started; `name` tells this process's connections apart, `stats` show how it is."""
    if settings.broker.kind == "rabbitmq":
        from eventframework.rabbitmq import RabbitBroker

        rabbit: Broker = RabbitBroker(settings.broker.urls, reactor, name, topology=topology, stats=stats)
        return rabbit
    from eventframework.memory import MemoryBroker

    # One process shares with nobody, and what is not parted goes in larger batches.
    return MemoryBroker(settings.home / "events.db", reactor, topology=topology, partitions=1)


def make_store(settings: Settings, reactor: Any) -> TimeSeriesStore:
    """The time-series store, not opened."""
    store = settings.store
    if store.kind == "cassandra":
        from timeseries.cassandra import CassandraStore

        return CassandraStore(
            access(settings),
            store.keyspace,
            reactor,
            replication=store.replication,
            hold_s=store.hold_s,
            mark_s=store.mark_s,
            slack_s=store.slack_s,
            kept=kept(settings.retention),
        )
    if store.kind == "embedded":
        from timeseries.embedded import EmbeddedStore

        return EmbeddedStore(settings.home / "series", reactor)
    from timeseries.memory import MemoryStore

    return MemoryStore(reactor)


def access(settings: Settings) -> "Access":
    """How to reach Cassandra."""
    from timeseries.cql import Access

    return Access(**settings.store.model_dump(include=set(Access._fields)))


class Engines:
    """The store and the threads of a process: each opened for the first service that asks for it."""

    def __init__(self, settings: Settings, reactor: Any) -> None:
        self._settings, self._reactor = settings, reactor
        self._opening = DeferredLock()
        self._undo = AsyncExitStack()
        self._store: TimeSeriesStore | None = None
        self._threads: DjangoThreads | None = None

    @property
    def store(self) -> TimeSeriesStore:
        """The time-series store, open."""
        return _demand(self._store)

    @property
    def threads(self) -> DjangoThreads:
        """The threads for Django work, started."""
        return _demand(self._threads)

    async def open(self, asked: Collection[str]) -> None:
        """Open what is asked for, `store` and `threads`, unless it is open; raises StoreUnavailable."""
        await self._opening.acquire()
        try:
            if "store" in asked and self._store is None:
                self._store = await self._open_store()
            if "threads" in asked and self._threads is None:
                self._threads = DjangoThreads(self._reactor)
                self._threads.start()
                self._undo.push_async_callback(self._threads.stop)
        finally:
            self._opening.release()

    async def close(self) -> None:
        """Close what is open."""
        await self._undo.aclose()

    async def _open_store(self) -> TimeSeriesStore:
        store = make_store(self._settings, self._reactor)
        try:
            await store.open()
        except BaseException:
            await store.close()
            raise
        self._undo.push_async_callback(store.close)
        return store


def _demand(engine: T | None) -> T:
    if engine is None:
        raise RuntimeError("it was not asked for")
    return engine
