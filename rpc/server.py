"""Serves one interface on one port: length-prefixed, numbered messages, each answered once it can be."""

from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, TimeoutError  # noqa: A004 - Twisted's
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver

from rpc.codec import MAX_MESSAGE_BYTES, BadMessage, Call, Reply, decode_call, encode_reply
from rpc.dispatcher import Dispatcher
from rpc.errors import RpcError, Unavailable

CALLS_PER_CONNECTION = 64
"""Calls of one connection under way at a time; past it nothing more is read."""

DRAIN_S = 2.0
"""How long calls under way may take to be answered when the server stops."""


class RpcServer:
    """A listening port for one interface of a dispatcher."""

    def __init__(self, interface: str, dispatcher: Dispatcher) -> None:
        self.interface = interface
        self.dispatcher = dispatcher
        self.connections: set[_Connection] = set()
        self._port: Any = None
        self._reactor: Any = None

    def start(self, reactor: Any, host: str, port: int) -> int:
        """Listen; returns the port, which for port 0 is a free one. Raises twisted's CannotListenError."""
        self._reactor = reactor
        self._port = reactor.listenTCP(port, _Factory(self), interface=host)
        chosen: int = self._port.getHost().port
        return chosen

    async def stop(self) -> None:
        """Take no more calls, let those under way be answered, and close."""
        if self._port is not None:
            await self._port.stopListening()
        for connection in list(self.connections):
            connection.pauseProducing()  # type: ignore[no-untyped-call]
        calls = DeferredList([call for connection in self.connections for call in connection.calls])
        with suppress(TimeoutError, CancelledError):
            await calls.addTimeout(DRAIN_S, self._reactor)
        for connection in list(self.connections):
            connection.transport.loseConnection()


class _Factory(Factory):
    noisy = False

    def __init__(self, server: RpcServer) -> None:
        self._server = server

    def buildProtocol(self, addr: object) -> "_Connection":  # noqa: N802, ARG002 - Twisted's
        return _Connection(self._server)


class _Connection(Int32StringReceiver):
    """One caller's connection."""

    MAX_LENGTH = MAX_MESSAGE_BYTES
    _log = Logger()
    transport: Any

    def __init__(self, server: RpcServer) -> None:
        self._server = server
        self.calls: set[Deferred[None]] = set()

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's
        self.transport.setTcpNoDelay(True)
        self._server.connections.add(self)

    def connectionLost(self, reason: object = None) -> None:  # noqa: N802, ARG002 - Twisted's
        self._server.connections.discard(self)
        for call in list(self.calls):
            call.cancel()

    def stringReceived(self, string: bytes) -> None:  # noqa: N802 - Twisted's
        try:
            call = decode_call(self._server.interface, string)
        except BadMessage as error:
            self._log.warn("closing a caller's connection: {error}", error=error)
            self.transport.abortConnection()
            return
        answered = Deferred.fromCoroutine(self._answer(call))
        self.calls.add(answered)
        answered.addBoth(self._ended, answered)
        if len(self.calls) >= CALLS_PER_CONNECTION:
            self.pauseProducing()  # type: ignore[no-untyped-call]

    async def _answer(self, call: Call) -> None:
        reply = await self._reply(call)
        if self in self._server.connections:
            self.sendString(self._encoded(call, reply))  # type: ignore[no-untyped-call]

    async def _reply(self, call: Call) -> Reply:
        try:
            result = await self._server.dispatcher.call(self._server.interface, call.method, call.arguments)
        except RpcError as error:
            return Reply(call.sequence, None, error)
        return Reply(call.sequence, result, None)

    def _encoded(self, call: Call, reply: Reply) -> bytes:
        try:
            return encode_reply(self._server.interface, call.method, reply)
        except Exception:  # noqa: BLE001 - whatever a handler's answer does to the writer
            self._log.failure("the answer of {method} does not fit the IDL", method=call.method)
            error = Unavailable(f"{call.method}: internal error")
            return encode_reply(self._server.interface, call.method, Reply(call.sequence, None, error))

    def _ended(self, result: Any, answered: "Deferred[None]") -> Any:
        self.calls.discard(answered)
        if len(self.calls) == CALLS_PER_CONNECTION - 1:
            self.resumeProducing()  # type: ignore[no-untyped-call]
        return result
