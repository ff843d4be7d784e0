"""Hosts any number of services in one process, none included: builds what they ask for, starts, stops.

A service's constructor asks by parameter name:

    clock, reactor           the reactor
    settings                 picket.settings.Settings
    bus                      eventframework's Framework
    store                    the time-series store, open before `setup`
    stats                    statslib.Stats of its own
    rpc                      the Dispatcher to give its handlers to
    threads                  DjangoThreads
    topology                 what the services of the whole set-up take
    directory, query, live   an awaited proxy of that service's RPC interface
"""

import inspect
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Any

from twisted.logger import Logger
from twisted.web.server import Site

from eventframework.framework import Framework
from eventframework.topology import Topology
from picket.settings import Settings
from rpc import client, local
from rpc.dispatcher import Dispatcher
from rpc.proxy import Proxy
from rpc.server import RpcServer
from services.base import Service
from services.engines import make_broker, make_store
from services.registry import SERVICES, find
from services.threads import DjangoThreads
from statslib import Stats
from statslib.web import stats_resource
from timeseries.store import TimeSeriesStore

INTERFACES = {"directory": "Directory", "query": "TimeSeries", "live": "Live"}
"""The RPC interface of each service that has one; `[rpc]` of the settings has the same names."""

DRAIN_S = 3.0
"""How long handlers under way may take to finish when the process stops."""


def topology(services: Sequence[type[Service]]) -> Topology:
    """What the broker must have ready for these services."""
    return Topology(
        subscriptions=tuple(taken for service in services for taken in service.subscriptions),
        taps=tuple(tap for service in services for tap in service.taps()),
    )


class Runner:
    """A process's services, and what the rest of the process shares with them.

    `enabled` are the services of the whole set-up, wherever they run: the broker's queues are made for them.
    `listen`: serve RPC and stats on the ports of the settings; without it only this process can call.
    """

    _log = Logger()

    def __init__(
        self,
        services: Sequence[type[Service]],
        settings: Settings,
        reactor: Any,
        *,
        enabled: Sequence[type[Service]] | None = None,
        listen: bool = True,
        name: str = "",
    ) -> None:
        self._classes = list(services)
        self._enabled = [find(each) for each in SERVICES] if enabled is None else list(enabled)
        self._settings = settings
        self._reactor = reactor
        self._listen = listen
        self.name = name or "+".join(service.name for service in services) or "picket"
        self.ports: dict[str, int] = {}
        self._stats = [Stats("process")]
        self._clients: dict[str, Proxy] = {}
        self._undo = AsyncExitStack()
        self.services: list[Service] = []

    @cached_property
    def bus(self) -> Framework:
        """The way to events and the stream."""
        wanted, stats = topology(self._enabled), self.stats("broker")
        broker = make_broker(self._settings, self._reactor, wanted, self.name, stats)
        return Framework(broker, self._reactor, drain_s=DRAIN_S)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """The RPC handlers of this process."""
        return Dispatcher(self._reactor, self._stats[0])

    @cached_property
    def store(self) -> TimeSeriesStore:
        """The time-series store; opened by `start` when a service has asked for it."""
        return make_store(self._settings, self._reactor)

    @cached_property
    def threads(self) -> DjangoThreads:
        """Threads for Django work; started by `start` when a service has asked for them."""
        return DjangoThreads(self._reactor)

    def stats(self, name: str) -> Stats:
        """New measures that the process's stats pages show; not ready until the process is."""
        made = Stats(name)
        made.unready = "starting"
        self._stats.append(made)
        return made

    def client(self, service: str) -> Proxy:
        """The awaited proxy of `directory`, `query` or `live`, in this process where it is hosted here."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def blocking(self, service: str) -> Proxy:
        """The same for threads, such as those of WSGI."""
        if self.hosts(service):
            return local.blocking(INTERFACES[service], self.dispatcher, self._reactor)
        return client.blocking(INTERFACES[service], getattr(self._settings.rpc, service))

    def hosts(self, service: str) -> bool:
        """Whether that service runs in this process."""
        return any(cls.name == service for cls in self._classes)

    async def start(self) -> None:
        """Bring everything up, what others need first; a failure takes down what was up and is raised."""
        self._stats[0].unready = "starting"
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        for stats in self._stats:
            stats.unready = ""

    async def stop(self) -> None:
        """Take nothing new, let what is under way finish, then close everything in the order of its need."""
        for stats in self._stats:
            stats.unready = "stopping"
        await self._undo.aclose()

    async def _start(self) -> None:
        self.services = [self._build(cls) for cls in self._classes]
        if "store" in self.__dict__:
            self._undo.push_async_callback(self.store.close)
            await self.store.open()
        if "threads" in self.__dict__:
            self.threads.start()
            self._undo.push_async_callback(self.threads.stop)
        self._undo.push_async_callback(self._close_clients)
        for service in self.services:
            self._undo.push_async_callback(service.stop)
            await service.setup()
        self._undo.push_async_callback(self.bus.stop)
        await self.bus.start()
        for service in self.services:
            self._undo.push_async_callback(service.drain)
            await service.start()
            self._log.info("{service} is up", service=service.name)
        if self._listen:
            self._serve_rpc()
            self._serve_stats()

    def _serve_rpc(self) -> None:
        for service, interface in INTERFACES.items():
            if interface in self.dispatcher.interfaces:
                server = RpcServer(interface, self.dispatcher)
                host, port = getattr(self._settings.rpc, service)[0]
                self.ports[service] = server.start(self._reactor, host, port)
                self._undo.push_async_callback(server.stop)

    def _serve_stats(self) -> None:
        if self._settings.stats.listen:
            host, port = self._settings.stats.listen
            site = Site(stats_resource(self._stats))
            listening = self._reactor.listenTCP(port, site, interface=host)
            self.ports["stats"] = listening.getHost().port
            self._undo.push_async_callback(_stop_listening, listening)

    def _build(self, cls: type[Service]) -> Service:
        return cls(**{name: self._dependency(name, cls) for name in inspect.signature(cls).parameters})

    def _dependency(self, name: str, cls: type[Service]) -> Any:
        """What a constructor's parameter of this name is given."""
        makers: dict[str, Callable[[], Any]] = {
            "clock": lambda: self._reactor,
            "reactor": lambda: self._reactor,
            "settings": lambda: self._settings,
            "bus": lambda: self.bus,
            "store": lambda: self.store,
            "stats": lambda: self.stats(cls.name),
            "rpc": lambda: self.dispatcher,
            "threads": lambda: self.threads,
            "topology": lambda: topology(self._enabled),
            **{service: lambda service=service: self.client(service) for service in INTERFACES},  # type: ignore[misc]
        }
        if name not in makers:
            raise TypeError(f"{cls.__name__} asks for {name!r}; there are: {', '.join(makers)}")
        return makers[name]()

    def _make_client(self, service: str) -> Proxy:
        if self.hosts(service):
            return local.connect(INTERFACES[service], self.dispatcher, self._reactor)
        endpoints = getattr(self._settings.rpc, service)
        return client.connect(INTERFACES[service], endpoints, reactor=self._reactor)

    async def _close_clients(self) -> None:
        for proxy in self._clients.values():
            await proxy.close()


async def _stop_listening(listening: Any) -> None:
    await listening.stopListening()
