"""Proxies of an interface that another process serves: `connect` for Twisted code, `blocking` for threads.

A call goes over a kept connection to the endpoint that answered last, and on to the next one when that fails;
with a single endpoint a broken connection is tried once more. All of it ends at the call's deadline.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredLock, TimeoutError  # noqa: A004 - Twisted's
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.basic import Int32StringReceiver

from rpc.blocking import BlockingCarrier
from rpc.codec import MAX_MESSAGE_BYTES, BadMessage, decode_reply, encode_call
from rpc.errors import Unavailable
from rpc.proxy import DEADLINE_S, Endpoints, Proxy, attempts


class _Broken(Unavailable):
    """The connection failed, rather than the service behind it."""


def connect(
    interface: str, endpoints: Endpoints, *, reactor: Any = None, deadline_s: float = DEADLINE_S
) -> Proxy:
    """A proxy whose calls are awaited; it connects at the first call."""
    if reactor is None:
        from twisted.internet import reactor as installed

        reactor = installed
    return Proxy(interface, _Async(interface, endpoints, reactor, deadline_s))


def blocking(interface: str, endpoints: Endpoints, *, deadline_s: float = DEADLINE_S) -> Proxy:
    """A proxy for threads, such as Django's: each has connections of its own, made at its first call."""
    return Proxy(interface, BlockingCarrier(interface, endpoints, deadline_s))


class _Async:
    """Carries the calls of one proxy over one kept connection an endpoint."""

    def __init__(self, interface: str, endpoints: Endpoints, reactor: Any, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._reactor = reactor
        self._links = [_Link(interface, host, port, reactor) for host, port in endpoints]
        self._preferred = 0

    def now(self) -> float:
        seconds: float = self._reactor.seconds()
        return seconds

    async def call(self, method: str, arguments: Sequence[Any]) -> Any:
        until = self.now() + self.deadline_s
        failure = Unavailable("no endpoint")
        for index, shares in attempts(len(self._links), self._preferred):
            left_s = until - self.now()
            if left_s <= 0:
                break
            self._preferred = index
            try:
                return await self._links[index].call(method, arguments, left_s / shares)
            except Unavailable as error:
                failure = error
                if len(self._links) == 1 and not isinstance(error, _Broken):
                    break
        raise Unavailable(str(failure)) from failure

    async def close(self) -> None:
        for link in self._links:
            link.close()


class _Link:
    """The kept connection to one endpoint."""

    def __init__(self, interface: str, host: str, port: int, reactor: Any) -> None:
        self._interface = interface
        self._where = f"{interface} at {host}:{port}"
        self._host, self._port = host, port
        self._reactor = reactor
        self._connecting = DeferredLock()
        self._connection: _Connection | None = None

    async def call(self, method: str, arguments: Sequence[Any], timeout_s: float) -> Any:
        """The answer within `timeout_s`; raises Unavailable, _Broken, or what the service raised."""
        began = self._reactor.seconds()
        answered = Deferred.fromCoroutine(self._call(method, arguments, timeout_s))
        try:
            return await answered.addTimeout(timeout_s, self._reactor)
        except (CancelledError, TimeoutError) as error:
            if self._connection is not None and self._connection.heard_at < began:
                self.close()
            raise Unavailable(f"{self._where}: no answer in {timeout_s:.1f} s") from error

    async def _call(self, method: str, arguments: Sequence[Any], timeout_s: float) -> Any:
        connection = await self._connected(timeout_s)
        try:
            return await connection.call(method, arguments)
        except ConnectionError as error:
            raise _Broken(f"{self._where}: {error}") from error

    async def _connected(self, timeout_s: float) -> "_Connection":
        await self._connecting.acquire()
        try:
            if self._connection is None or self._connection.lost:
                endpoint = HostnameEndpoint(self._reactor, self._host, self._port, timeout=timeout_s)
                factory: Any = _Factory(self._interface, self._reactor)
                made: Any = await endpoint.connect(factory)
                self._connection = made
            return self._connection
        except CancelledError:
            raise
        except Exception as error:
            raise _Broken(f"{self._where}: {error}") from error
        finally:
            self._connecting.release()

    def close(self) -> None:
        """End the connection; the next call makes another."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


class _Factory(Factory):
    noisy = False

    def __init__(self, interface: str, reactor: Any) -> None:
        self._interface = interface
        self._reactor = reactor

    def buildProtocol(self, addr: object) -> "_Connection":  # noqa: N802, ARG002 - Twisted's
        return _Connection(self._interface, self._reactor)


class _Connection(Int32StringReceiver):
    """Calls under way on one connection, by number."""

    MAX_LENGTH = MAX_MESSAGE_BYTES
    transport: Any

    def __init__(self, interface: str, reactor: Any) -> None:
        self._interface = interface
        self._reactor = reactor
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Deferred[Any]] = {}
        self.lost = False
        self.heard_at: float = reactor.seconds()

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's
        self.transport.setTcpNoDelay(True)

    def call(self, method: str, arguments: Sequence[Any]) -> Deferred[Any]:
        """Fires with the answer; fails with the service's error, or ConnectionError when it ends before."""
        number = next(self._numbers)
        message = encode_call(self._interface, method, number, arguments)
        waiting: Deferred[Any] = Deferred(lambda _: self._forget(number))
        self._waiting[number] = waiting
        self.sendString(message)  # type: ignore[no-untyped-call]
        return waiting

    def _forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def stringReceived(self, string: bytes) -> None:  # noqa: N802 - Twisted's
        self.heard_at = self._reactor.seconds()
        try:
            reply = decode_reply(self._interface, string)
        except BadMessage:
            self.abort()
            return
        waiting = self._waiting.pop(reply.sequence, None)
        if waiting is None:
            return
        if reply.error is not None:
            waiting.errback(reply.error)
        else:
            waiting.callback(reply.result)

    def connectionLost(self, reason: object = None) -> None:  # noqa: N802, ARG002 - Twisted's
        self.lost = True
        waiting, self._waiting = self._waiting, {}
        for call in waiting.values():
            call.errback(ConnectionError("the connection ended before the answer"))

    def abort(self) -> None:
        """Close at once."""
        self.lost = True
        self.transport.abortConnection()
