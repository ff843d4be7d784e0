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
    enabled                  the names of the services of the whole set-up
    directory, query, live   an awaited proxy of that service's RPC interface
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.web.server import Site

from eventframework.broker import Broker
from eventframework.framework import Framework
from eventframework.topology import Topology
from picket.settings import Settings
from rpc import client, local
from rpc.dispatcher import Dispatcher
from rpc.proxy import Proxy
from rpc.server import RpcServer
from services.base import Service
from services.engines import Engines, make_broker
from services.heart import Heart
from services.hosted import Hosted
from services.registry import SERVICES, find
from statslib import Stats
from statslib.web import stats_resource

INTERFACES = {"directory": "Directory", "query": "TimeSeries", "live": "Live"}
"""The RPC interface of each service that has one; `[rpc]` of the settings has the same names."""

DRAIN_S = 3.0
"""How long handlers under way may take to finish when the process stops."""


INNER = ("process", "broker")
"""Owners of measures that are no services."""


def topology(services: Sequence[type[Service]]) -> Topology:
    """What the broker must have ready for these services."""
    return Topology(
        subscriptions=tuple(taken for service in services for taken in service.subscriptions),
        taps=tuple(tap for service in services for tap in service.taps()),
    )


class Runner:
    """A process's services, and what the rest of the process shares with them.

    `enabled` are the services of the whole set-up, wherever they run: the broker's queues are made for them.
    `listen`: serve RPC on the ports of the settings; without it only this process can call.
    """

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
        self._enabled = [find(each) for each in SERVICES] if enabled is None else list(enabled)
        self._settings = settings
        self._reactor = reactor
        self._listen = listen
        self.name = name or "+".join(service.name for service in services) or "picket"
        self.ports: dict[str, int] = {}
        self._stats: dict[str, Stats] = {}
        self._clients: dict[str, Proxy] = {}
        self._servers: list[Callable[[], Awaitable[None]]] = []
        self._engines = Engines(settings, reactor)
        self._undo = AsyncExitStack()
        self._connected = False
        self._process = self.stats("process")
        self._heart: Heart | None = None
        for cls in services:
            self._check(cls)
        self._hosted = [Hosted(cls, self, reactor, self.stats(cls.name)) for cls in services]

    @property
    def uses_django(self) -> bool:
        """Whether any of its services does."""
        return any(hosted.cls.uses_django for hosted in self._hosted)

    @property
    def services(self) -> list[Service]:
        """Those that are set up."""
        return [hosted.service for hosted in self._hosted if hosted.service is not None]

    @cached_property
    def broker(self) -> Broker:
        """The broker of this process."""
        wanted, stats = topology(self._enabled), self.stats("broker")
        return make_broker(self._settings, self._reactor, wanted, self.name, stats)

    @cached_property
    def bus(self) -> Framework:
        """The way to events and the stream of what is no service."""
        return self.new_bus()

    def new_bus(self) -> Framework:
        """A service's own way to events and the stream: its subscriptions can be undone."""
        return Framework(self.broker, self._reactor, drain_s=DRAIN_S, stats=self.stats("broker"))

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """The RPC handlers of this process."""
        return Dispatcher(self._reactor, self._process)

    def stats(self, name: str) -> Stats:
        """The measures of that owner, which the process's stats pages show."""
        if name not in self._stats:
            self._stats[name] = Stats(name)
            self._stats[name].unready = "starting"
        return self._stats[name]

    def client(self, service: str) -> Proxy:
        """The awaited proxy of `directory`, `query` or `live`, in this process where it is hosted here."""
        if service not in self._clients:
            self._clients[service] = self._make_client(service)
        return self._clients[service]

    def blocking(self, service: str) -> Proxy:
        """The same for threads, such as those of WSGI."""
        if self.hosts(service):
            return local.blocking(INTERFACES[service], self.dispatcher, self._reactor)
        endpoints = getattr(self._settings.rpc, service)
        return client.blocking(INTERFACES[service], endpoints, stats=self._process)

    def hosts(self, service: str) -> bool:
        """Whether that service runs in this process."""
        return any(hosted.cls.name == service for hosted in self._hosted)

    async def start(self) -> None:
        """Try to bring everything up, what others need first.

        A service that fails is tried again in the background. An address that is taken, or the broker's
        failure, takes down what was up and is raised.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def all_up(self) -> None:
        """Return when every service is up."""
        await DeferredList([hosted.came for hosted in self._hosted])

    async def stop(self) -> None:
        """Take nothing new, let what is under way finish, then close everything in the order of its need."""
        if self._heart is not None:
            heart, self._heart = self._heart, None
            await heart.farewell()
        for stats in self._stats.values():
            stats.unready = "stopping"
        async with AsyncExitStack() as first_to_last:
            for step in reversed((self._stop_serving, self._drain, self._take_down, self._undo.aclose)):
                first_to_last.push_async_callback(step)

    async def _start(self) -> None:
        self._undo.push_async_callback(self._engines.close)
        self._undo.push_async_callback(self._close_clients)
        self._serve_stats()
        for hosted in self._hosted:
            await hosted.set_up()
        self._connected = True
        self.stats("broker").unready = ""  # From here on it says itself what keeps it from its work.
        await self.bus.start()
        for hosted in self._hosted:
            await hosted.start()
        self._process.unready = ""
        self._heart = Heart(self._reactor, self.bus, self._owners)
        await self._heart.start()
        for hosted in self._hosted:
            hosted.keep_trying()

    def _owners(self) -> list[Stats]:
        """Whose hearts beat: all services, the gateway and the web."""
        return [stats for name, stats in self._stats.items() if name not in INNER]

    async def _stop_serving(self) -> None:
        servers, self._servers = self._servers, []
        for stop in reversed(servers):
            await stop()

    async def _drain(self) -> None:
        last_first = self._hosted[::-1]
        for steps in ([each.drain for each in last_first], [each.finish for each in last_first]):
            await DeferredList([Deferred.fromCoroutine(step()) for step in steps], consumeErrors=True)
        if self._connected:
            self._connected = False
            await self.bus.stop()

    async def _take_down(self) -> None:
        for hosted in reversed(self._hosted):
            await hosted.take_down()

    def admit(self, service: Service) -> None:
        """Listen for calls to its interface; raises CannotListenError."""
        interface = INTERFACES.get(service.name, "")
        if self._listen and interface in self.dispatcher.interfaces:
            server = RpcServer(interface, self.dispatcher)
            host, port = getattr(self._settings.rpc, service.name)[0]
            self.ports[service.name] = server.start(self._reactor, host, port)
            self._servers.append(server.stop)

    def dismiss(self, service: Service) -> None:
        """Its calls are answered as those of a service that is not here."""
        self.dispatcher.forget(service)

    def _serve_stats(self) -> None:
        if self._settings.stats.listen:
            host, port = self._settings.stats.listen
            site = Site(stats_resource(self._stats.values()))
            listening = self._reactor.listenTCP(port, site, interface=host)
            self.ports["stats"] = listening.getHost().port
            self._undo.push_async_callback(_stop_listening, listening)

    async def build(self, cls: type[Service], bus: Framework) -> Service:
        """The service, given what its constructor names, with that opened."""
        asked = inspect.signature(cls).parameters
        await self._engines.open(asked)
        makers = self._makers(cls, bus)
        return cls(**{name: makers[name]() for name in asked})

    def _check(self, cls: type[Service]) -> None:
        """Raise TypeError where it asks for what there is not."""
        there_are = self._makers(cls)
        for name in inspect.signature(cls).parameters:
            if name not in there_are:
                raise TypeError(f"{cls.__name__} asks for {name!r}; there are: {', '.join(there_are)}")

    def _makers(self, cls: type[Service], bus: Framework | None = None) -> dict[str, Callable[[], Any]]:
        """What makes that which a constructor's parameter of each name is given."""
        return {
            "clock": lambda: self._reactor,
            "reactor": lambda: self._reactor,
            "settings": lambda: self._settings,
            "bus": lambda: bus,
            "store": lambda: self._engines.store,
            "stats": lambda: self.stats(cls.name),
            "rpc": lambda: self.dispatcher,
            "threads": lambda: self._engines.threads,
            "topology": lambda: topology(self._enabled),
            "enabled": lambda: [each.name for each in self._enabled],
            **{service: lambda service=service: self.client(service) for service in INTERFACES},  # type: ignore[misc]
        }

    def _make_client(self, service: str) -> Proxy:
        if self.hosts(service):
            return local.connect(INTERFACES[service], self.dispatcher)
        endpoints = getattr(self._settings.rpc, service)
        return client.connect(INTERFACES[service], endpoints, reactor=self._reactor, stats=self._process)

    async def _close_clients(self) -> None:
        for proxy in self._clients.values():
            await proxy.close()


async def _stop_listening(listening: Any) -> None:
    await listening.stopListening()
