"""One AMQP connection that comes back by itself, to the next of several hosts, until it is stopped."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from pika import URLParameters
from pika.adapters.twisted_connection import TwistedProtocolConnection
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS
from twisted.logger import Logger
from twisted.python.failure import Failure

from eventframework.amqp import ANSWER_S, Channel
from eventframework.clock import Reactor, backoff_s, sleep, stop_timer, within
from eventframework.errors import BrokerForbids, BrokerUnavailable, TopologyClash
from eventframework.framing import Framing
from eventframework.translate import translated, translating

CONNECT_S = 10.0
"""For the way there, and again for the login."""

HEARTBEAT_S = 10
FLUSH_S = 2.0
SEND_BYTES = 1 << 20
SLOWEST_RETRY_S = 15.0


class _Protocol(TwistedProtocolConnection):  # type: ignore[misc]
    """pika's protocol, which hangs up on a peer that takes nothing any more, instead of flushing for ever."""

    def __init__(self, parameters: URLParameters, reactor: Reactor) -> None:
        super().__init__(parameters, custom_reactor=reactor)
        self._reactor = reactor
        self._limits: list[Any] = []
        self._said: Exception | None = None
        self.ready: Deferred[Any] | None
        self._impl._adapter_disconnect_stream = self.hang_up
        Framing(self._impl)

    def makeConnection(self, transport: Any) -> None:  # noqa: N802
        """Begin; a batch of the stream is then one write, where Twisted's own limit would make it two."""
        transport.SEND_LIMIT = SEND_BYTES
        super().makeConnection(transport)

    def leave(self) -> None:
        """Say goodbye and close; without an answer, hang up."""
        if self.is_open:
            self._limits.append(self._reactor.callLater(FLUSH_S, self.hang_up))
            self.close()

    def hang_up(self) -> None:
        """Close after the flush, or soon without it."""
        if not self.is_closed and self.transport is not None:
            self._limits.append(self._reactor.callLater(FLUSH_S, self.transport.abortConnection))
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        """The end, whoever wanted it; pika would forget what the broker said of it."""
        for limit in self._limits:
            stop_timer(limit)
        self._said = self._impl._error
        super().connectionLost(Failure(self._said) if self._said else reason)

    def _on_connection_failed(self, _: Any, error: Exception | None = None) -> None:
        """The login failed; pika would not tell why."""
        if self.ready is not None:
            ready, self.ready = self.ready, None
            ready.errback(self._said or error or ConnectionError("closed"))

    def on_blocked(self, block: Callable[[bool], None]) -> None:
        """Tell when the broker blocks publishers and when it does no more."""
        self._impl.add_on_connection_blocked_callback(lambda *_: block(True))
        self._impl.add_on_connection_unblocked_callback(lambda *_: block(False))

    async def open_channel(self, clock: Reactor) -> Channel:
        """A new channel."""
        return Channel((await self.twisted_channel(clock))._channel, clock)

    async def twisted_channel(self, clock: Reactor) -> Any:
        """A new channel of pika's own kind."""
        with translating("channel"):
            return await within(clock, ANSWER_S, self.channel(), "channel")


Up = Callable[["Link", Channel], Awaitable[None]]


class Link:
    """A connection with one channel. `up` prepares each new one, `down` learns of its end.

    `problem` is why there is none at the moment, and `changed` is called when that changes. Each problem is
    logged once, however often it is met.
    """

    def __init__(
        self,
        urls: Sequence[str],
        reactor: Reactor,
        name: str,
        up: Up,
        down: Callable[[], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._urls = list(urls)
        self._reactor = reactor
        self._name = name
        self._up = up
        self._down = down
        self._changed = changed
        self._protocol: _Protocol | None = None
        self._running: Deferred[None] | None = None
        self._stopping = False
        self.problem = "not connected yet"
        self._told: set[str] = set()
        self._log = Logger(namespace="eventframework.connection")

    def start(self) -> None:
        """Connect, and connect again, until stopped."""
        random.shuffle(self._urls)
        self._running = Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        """Close; what was not acknowledged goes to others."""
        self._stopping = True
        running, self._running = self._running, None
        if self._protocol is not None:
            self.drop()
        elif running is not None:
            running.cancel()
        if running is not None:
            await running

    def drop(self) -> None:
        """End this connection; a link that is not stopped connects anew."""
        if self._protocol is not None:
            self._protocol.leave()

    def on_blocked(self, block: Callable[[bool], None]) -> None:
        """Tell when the broker blocks publishers and when it does no more."""
        if self._protocol is not None:
            self._protocol.on_blocked(block)

    async def twisted_channel(self) -> Any:
        """Another channel, of pika's own kind; raises BrokerUnavailable."""
        return await self._connected().twisted_channel(self._reactor)

    async def channel(self) -> Channel:
        """Another channel; raises BrokerUnavailable."""
        return await self._connected().open_channel(self._reactor)

    def _connected(self) -> _Protocol:
        if self._protocol is None:
            raise BrokerUnavailable(self.problem)
        return self._protocol

    async def _run(self) -> None:
        turn = failures = 0
        while not self._stopping:
            url = self._urls[turn % len(self._urls)]
            turn += 1
            try:
                await self._session(URLParameters(url))
                failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, the answer is to try the next host
                failures += 1
                self._failed(error, url)
            if not self._stopping:
                await self._pause(failures)

    def _failed(self, error: Exception, url: str) -> None:
        """A person has to hear of it, but not at every attempt."""
        problem = translated(error, f"RabbitMQ at {url.rpartition('@')[2]}")
        self._has(str(problem))
        if self.problem not in self._told:
            self._told.add(self.problem)
            mendable = isinstance(problem, BrokerForbids | TopologyClash)
            say = self._log.error if mendable else self._log.warn
            say("{name}: {problem}; trying on", name=self._name, problem=self.problem)

    def _has(self, problem: str) -> None:
        self.problem = problem
        self._changed()

    async def _pause(self, failures: int) -> None:
        """Longer after each failure, and never in step with the others who lost the same broker."""
        try:
            await sleep(self._reactor, backoff_s(failures + 1, SLOWEST_RETRY_S))
        except Exception:  # noqa: BLE001 - only a stop ends the wait early
            return

    async def _session(self, parameters: URLParameters) -> None:
        """From the connect to the end of the connection."""
        protocol = await self._connect(parameters)
        closed = protocol.closed
        self._protocol = protocol
        try:
            await self._up(self, await protocol.open_channel(self._reactor))
            self._told.clear()
            self._has("")
            reason = await closed
            self._has(f"the connection to RabbitMQ ended: {reason}")
            self._log.info("{name}: {reason}", name=self._name, reason=self.problem)
        finally:
            self._protocol = None
            self._down()
            protocol.hang_up()

    async def _connect(self, parameters: URLParameters) -> _Protocol:
        parameters.heartbeat = HEARTBEAT_S
        parameters.client_properties = {"connection_name": self._name}
        endpoint: Any = HostnameEndpoint(cast(Any, self._reactor), parameters.host, parameters.port)
        if parameters.ssl_options is not None:
            endpoint = wrapClientTLS(optionsForClientTLS(parameters.host), endpoint)
        protocol = _Protocol(parameters, self._reactor)
        ready = cast(Deferred[Any], protocol.ready)
        connect: Any = connectProtocol
        await within(self._reactor, CONNECT_S, connect(endpoint, protocol), f"connect to {parameters.host}")
        try:
            await within(self._reactor, CONNECT_S, ready, f"login at {parameters.host}")
        except BaseException:
            protocol.hang_up()
            raise
        return protocol
