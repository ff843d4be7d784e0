"""The gateway: listens, counts connections, sweeps the silent ones away, tells of agents that come and go."""

import ipaddress
from collections import Counter
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from agent.wire import Code
from agent_gateway.batcher import Batcher
from agent_gateway.connection import Connection
from agent_gateway.session import Directory, Session
from agent_gateway.tls import TlsFiles, context_factory
from eventframework.catalogue import AgentConnected, AgentDisconnected, KeyRevoked, NodeDeleted
from eventframework.clock import Clock, sleep, within
from eventframework.errors import BrokerUnavailable, EventError
from eventframework.event import Event
from eventframework.framework import Framework
from eventframework.policy import Policy
from picket import correlation
from picket.settings import Endpoint, Limits
from statslib import Stats
from timeseries.layouts import Layouts

BACKLOG = 4096
DRAIN_S = 2.0
LEAVE_S = 1.0
SWEEP_S = 1.0


class Reactor(Protocol):
    """What of IReactorSSL is used."""

    def listenSSL(self, __port: int, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Twisted's name
        """Listen; returns an IListeningPort."""


class Gateway:
    """The TLS endpoint of agents. What is under way at `stop` is published and acknowledged first."""

    def __init__(
        self,
        *,
        clock: Clock,
        bus: Framework,
        directory: Directory,
        limits: Limits,
        stats: Stats,
        gateway_id: str,
    ) -> None:
        self.limits, self.directory, self.stats = limits, directory, stats
        self.batcher = Batcher(clock, bus.stream("results"), stats, self._hold_all)
        self.layouts = Layouts()
        self._clock, self._bus, self._gateway_id = clock, bus, gateway_id
        self._sessions: dict[Connection, Session] = {}
        self._strangers: Counter[str] = Counter()
        self._telling: set[Deferred[None]] = set()
        self._holding = self._stopping = False
        self._port: Any = None
        self._sweeping = LoopingCall(self._sweep)
        self._sweeping.clock = clock  # type: ignore[assignment]
        bus.subscribe(KeyRevoked, self._key_revoked, Policy.FANOUT)
        bus.subscribe(NodeDeleted, self._node_deleted, Policy.FANOUT)
        stats.gauge("connections", lambda: len(self._sessions))
        stats.gauge("agents", lambda: len(self._sessions) - self._strangers.total())

    async def start(self, reactor: Reactor, listen: Endpoint, files: TlsFiles) -> None:
        """Listen. Raises CannotListenError, or OSError for the files."""
        tls = context_factory(files)
        self._port = reactor.listenSSL(listen.port, _Factory(self), tls, BACKLOG, listen.host)
        self._sweeping.start(SWEEP_S)
        self.stats.unready = ""

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        if self._port is None:
            raise RuntimeError("the gateway is not started")
        return int(self._port.getHost().port)

    async def stop(self) -> None:
        """Read no further, publish what was read, acknowledge it, close."""
        self._stopping = True
        self.stats.unready = "stopping"
        if self._port is not None:
            await self._port.stopListening()
        self._hold_all(True)
        await self._at_most(DRAIN_S, self.batcher.drain(), "frames under way")
        for connection in list(self._sessions):
            connection.close(Code.STOPPING, "the gateway stops, come again")
        await self._closed()
        if self._sweeping.running:
            self._sweeping.stop()
        await self._at_most(LEAVE_S, DeferredList(list(self._telling)), "events under way")

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.seconds()

    def opened(self, connection: Connection) -> Session | None:
        """A connection's session, or None if there are too many already."""
        network = _network(connection.address)
        full = len(self._sessions) >= self.limits.connections
        strange = self._strangers.total() >= self.limits.strangers
        crowd = self._strangers[network] >= max(1, self.limits.strangers // 2)
        self.stats.increment("connections_opened")
        if full or strange or crowd or self._stopping:
            return None
        self._strangers[network] += 1
        session = self._sessions[connection] = Session(self, connection)
        if self._holding:
            connection.hold("broker")
        return session

    def closed(self, connection: Connection, code: str) -> None:
        """Forget a connection."""
        self.stats.increment(f"closed_{code}")
        if self._sessions.pop(connection, None) and not connection.known:
            self._no_stranger(connection)

    def accepted(self, session: Session) -> None:
        """An agent is known: tell the others."""
        self._no_stranger(session.connection)
        self.stats.increment("agents_accepted")
        self._tell(AgentConnected(**self._about(session)))

    def left(self, session: Session, reason: str) -> None:
        """An agent is gone: tell the others."""
        self._tell(AgentDisconnected(**self._about(session), reason=reason))

    def _about(self, session: Session) -> dict[str, Any]:
        return {
            "account_id": session.account_id,
            "node_id": session.node_id,
            "connection_id": session.connection.id,
            "gateway_id": self._gateway_id,
            "time_ms": int(self.now() * 1000),
        }

    def _no_stranger(self, connection: Connection) -> None:
        network = _network(connection.address)
        self._strangers[network] -= 1
        if not self._strangers[network]:
            del self._strangers[network]

    def _tell(self, event: Event) -> None:
        telling = Deferred.fromCoroutine(self._publish(event))
        self._telling.add(telling)
        telling.addBoth(lambda _: self._telling.discard(telling))

    async def _publish(self, event: Event) -> None:
        with correlation.scope(correlation.current()):
            try:
                await self._bus.publish(event)
            except EventError as error:
                self.stats.increment("events_failed")
                _log.info("{event} not published: {error}", event=event, error=error)

    async def _key_revoked(self, event: KeyRevoked) -> None:
        for connection, session in list(self._sessions.items()):
            if session.key == event.key and session.account_id == event.account_id:
                connection.close(Code.KEY_REVOKED, "this key was taken away")

    async def _node_deleted(self, event: NodeDeleted) -> None:
        for connection, session in list(self._sessions.items()):
            if (session.account_id, session.node_id) == (event.account_id, event.node_id):
                connection.close(Code.NODE_DELETED, "this node was deleted, come again as a new one")

    def _hold_all(self, hold: bool) -> None:
        self._holding = hold or self._stopping
        for connection in list(self._sessions):
            if self._holding:
                connection.hold("broker")
            else:
                connection.release("broker")

    def _sweep(self) -> None:
        now = self.now()
        for connection, session in list(self._sessions.items()):
            connection.check_time(now)
            session.next_second()

    async def _closed(self) -> None:
        for _ in range(int(LEAVE_S / 0.02)):
            if not self._sessions:
                return
            await sleep(self._clock, 0.02)

    async def _at_most(self, limit_s: float, work: Deferred[Any], what: str) -> None:
        try:
            await within(self._clock, limit_s, work, what)
        except BrokerUnavailable as error:
            _log.warn("stopped without waiting longer: {error}", error=error)


class _Factory(Factory):
    noisy = False

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # noqa: N802 - Twisted's name
        host = addr.host if isinstance(addr, IPv4Address | IPv6Address) else ""
        return Connection(self._gateway, host)


def _network(address: str) -> str:
    """The network that strangers are counted by: /24, or /56 of IPv6."""
    if not address:
        return ""
    bits = 56 if ":" in address else 24
    return str(ipaddress.ip_network(f"{address.partition('%')[0]}/{bits}", strict=False))


_log = Logger(namespace="gateway")
