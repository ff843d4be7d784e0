"""Proxies of an interface that another process serves: `connect` for Twisted code, `blocking` for threads.

A call goes over a kept connection to one endpoint, and to the next one when that fails (`rpc.rotation`), all
within its deadline. That is safe, for every method may be called twice with the effect of once.
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
from rpc.errors import NoAnswer, RpcError, Unavailable
from rpc.proxy import DEADLINE_S, Arguments, Proxy
from rpc.rotation import Endpoints, Rotation
from statslib import Stats


class _Unreachable(Unavailable):
    """No connection could be made."""


def connect(
    interface: str,
    endpoints: Endpoints,
    *,
    reactor: Any = None,
    deadline_s: float = DEADLINE_S,
    stats: Stats | None = None,
) -> Proxy:
    """A proxy whose calls are awaited; it connects at the first call."""
    if reactor is None:
        from twisted.internet import reactor as installed

        reactor = installed
    return Proxy(interface, _Async(interface, endpoints, reactor, deadline_s), stats)


def blocking(
    interface: str, endpoints: Endpoints, *, deadline_s: float = DEADLINE_S, stats: Stats | None = None
) -> Proxy:
    """A proxy for threads, such as Django's: each has connections of its own, made at its first call."""
    return Proxy(interface, BlockingCarrier(interface, endpoints, deadline_s), stats)


class _Async:
    """Carries the calls of one proxy over one kept connection an endpoint."""

    def __init__(self, interface: str, endpoints: Endpoints, reactor: Any, deadline_s: float) -> None:
        self._interface = interface
        self._reactor = reactor
        self._deadline_s = deadline_s
        self._rotation = Rotation(interface, endpoints, reactor.seconds)
        self._links = [_Link(interface, self._rotation, index, reactor) for index in range(len(endpoints))]

    async def call(self, method: str, arguments: Arguments) -> Any:
        failure = Unavailable(f"{self._interface}: no endpoint")
        for index, timeout_s in self._rotation.attempts(self._reactor.seconds() + self._deadline_s):
            try:
                return await self._links[index].call(method, arguments(timeout_s), timeout_s)
            except Unavailable as error:
                failure = error
        raise failure

    async def close(self) -> None:
        for link in self._links:
            link.close()


class _Link:
    """The kept connection to one endpoint, which tells the rotation how that is."""

    def __init__(self, interface: str, rotation: Rotation, index: int, reactor: Any) -> None:
        self._interface = interface
        self._rotation = rotation
        self._index = index
        self._reactor = reactor
        self._connecting = DeferredLock()
        self._connection: _Connection | None = None

    async def call(self, method: str, arguments: Sequence[Any], timeout_s: float) -> Any:
        """The answer within `timeout_s`; raises NoAnswer, Unavailable, or what the service raised."""
        began = self._reactor.seconds()
        answered = Deferred.fromCoroutine(self._answer(method, arguments, timeout_s))
        try:
            result = await answered.addTimeout(timeout_s, self._reactor)
        except (ConnectionError, _Unreachable) as error:
            self._rotation.failed(self._index, error)
            raise NoAnswer(f"{self._where}: {error}") from error
        except (CancelledError, TimeoutError) as error:
            late = NoAnswer(f"{self._where}: no answer in {timeout_s:.1f} s")
            if self._connection is None or self._connection.heard_at < began:
                self.close()
                self._rotation.failed(self._index, late)
            raise late from error
        except RpcError:
            self._rotation.answered(self._index)
            raise
        self._rotation.answered(self._index)
        return result

    async def _answer(self, method: str, arguments: Sequence[Any], timeout_s: float) -> Any:
        """A connection kept from before may have died since: then by another one."""
        kept = self._connection
        connection = await self._connected(timeout_s)
        try:
            return await connection.call(method, arguments)
        except ConnectionError:
            if connection is not kept:
                raise
        return await (await self._connected(timeout_s)).call(method, arguments)

    @property
    def _where(self) -> str:
        return self._rotation.where(self._index)

    async def _connected(self, timeout_s: float) -> "_Connection":
        await self._connecting.acquire()
        try:
            if self._connection is None or self._connection.lost:
                host, port = self._rotation.endpoints[self._index]
                endpoint = HostnameEndpoint(self._reactor, host, port, timeout=timeout_s)
                factory: Any = _Factory(self._interface, self._reactor)
                made: Any = await endpoint.connect(factory)
                self._connection = made
            return self._connection
        except CancelledError:
            raise
        except Exception as error:
            raise _Unreachable(str(error)) from error
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
