"""The broker and the store that the settings name; a driver is imported only when it is used."""

from typing import Any

from eventframework.broker import Broker
from eventframework.topology import Topology
from picket.settings import Settings
from statslib import Stats
from timeseries.store import TimeSeriesStore


def make_broker(
    settings: Settings, reactor: Any, topology: Topology, name: str, stats: Stats | None = None
) -> Broker:
    """The broker, not started; `name` tells this process's connections apart, `stats` show how it is."""
    if settings.broker.kind == "rabbitmq":
        from eventframework.rabbitmq import RabbitBroker

        rabbit: Broker = RabbitBroker(settings.broker.urls, reactor, name, topology=topology, stats=stats)
        return rabbit
    from eventframework.memory import MemoryBroker

    return MemoryBroker(settings.home / "events.db", reactor, topology=topology)


def make_store(settings: Settings, reactor: Any) -> TimeSeriesStore:
    """The time-series store, not opened."""
    store = settings.store
    if store.kind == "cassandra":
        from timeseries.cassandra import CassandraStore

        copies, datacenter = store.replication, store.datacenter
        return CassandraStore(
            store.contact_points,
            store.port,
            store.keyspace,
            reactor,
            replication=copies,
            datacenter=datacenter,
        )
    if store.kind == "embedded":
        from timeseries.embedded import EmbeddedStore

        return EmbeddedStore(settings.home / "series", reactor)
    from timeseries.memory import MemoryStore

    return MemoryStore(reactor)
