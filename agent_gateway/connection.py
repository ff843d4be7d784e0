"""One agent's connection as bytes: decoding, limits in time and size, holding back, closing with a reason."""

from typing import Any
from typing import Protocol as Interface
from uuid import uuid4

from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from agent import wire
from agent.wire import Code, Message, WireError
from picket import correlation
from picket.settings import Limits

HELLO_BYTES = 16384
LINGER_S = 5.0


class Handler(Interface):
    """What gives the messages of a connection their meaning."""

    def received(self, message: Message) -> None:
        """One message; raises WireError to close the connection with its code."""

    def paused(self) -> None:
        """No more messages for now: what came together can go on together."""

    def broken(self, error: WireError) -> None:
        """The agent broke the contract; the connection is closed after this."""

    def lost(self, reason: str) -> None:
        """The connection is gone."""


class Registry(Interface):
    """Who knows all connections."""

    limits: Limits

    def opened(self, connection: "Connection") -> Handler | None:
        """A new connection: what handles it, or None if there are too many."""

    def closed(self, connection: "Connection", code: str) -> None:
        """It is gone, for the reason `code`."""

    def now(self) -> float:
        """Seconds since the epoch."""


@implementer(IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """Bytes of one agent. `held` names why it isn't read at the moment.

    `id` is unique to the connection: it is the correlation id of all that its messages cause.
    """

    def __init__(self, registry: Registry, address: str) -> None:
        self.id = uuid4().hex
        self.address = address
        self.held: set[str] = set()
        self.known = False
        self._registry = registry
        self._decoder = wire.Decoder(wire.Side.AGENT, self._wire_limits(HELLO_BYTES))
        self._handshaken = self.closing = False
        self._code = ""
        self._in_message = False
        self._deadline = registry.now() + registry.limits.hello_s

    def connectionMade(self) -> None:  # noqa: N802 - Twisted's name
        """TCP stands, TLS doesn't yet."""
        handler = self._registry.opened(self)
        if handler is None:
            self._abort(Code.TOO_MANY_CONNECTIONS)
            return
        self._handler = handler
        self._tcp.setTcpNoDelay(True)
        self._tcp.registerProducer(self, True)

    def handshakeCompleted(self) -> None:  # noqa: N802 - Twisted's name
        """TLS stands."""
        self._handshaken = True

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        """Decode and handle, unless held back."""
        if self.closing:
            return
        self._decoder.feed(data)
        if not self.held:
            self._handle()

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802 - Twisted's name
        """Gone, whoever ended it."""
        if not self._code:
            self._code = "lost" if self._handshaken else "tls_failed"
        self.closing = True
        with correlation.scope(self.id):
            self._tell_end(reason)

    def _tell_end(self, reason: Failure) -> None:
        if hasattr(self, "_handler"):
            self._handler.lost(self._code)
        self._registry.closed(self, self._code)
        _log.info(
            "connection {id} of {address} ended: {code} ({reason})",
            id=self.id,
            address=self.address,
            code=self._code,
            reason=reason.getErrorMessage(),
        )

    def accept(self) -> None:
        """The agent is known: it may send frames, and be silent for a while."""
        self.known = True
        self._decoder.limits = self._wire_limits(self._registry.limits.frame_bytes)
        self._alive()

    def send(self, command: str, *words: str | int, payload: bytes | None = None) -> None:
        """Send one command, unless the connection is closing."""
        if not self.closing:
            self._tcp.write(wire.encode(command, *words, payload=payload))

    def close(self, code: str, text: str) -> None:
        """Tell the agent why, and close."""
        if self.closing:
            return
        if not self._handshaken:
            self._abort(code)
            return
        self.send("error", code, text)
        self.closing, self._code = True, code
        self._deadline = self._registry.now() + LINGER_S
        self._tcp.unregisterProducer()
        self._tcp.resumeProducing()
        self._tcp.loseConnection()

    def hold(self, reason: str) -> None:
        """Read no further until every reason is gone."""
        if not self.held and not self.closing:
            self._tcp.pauseProducing()
        self.held.add(reason)

    def release(self, reason: str) -> None:
        """Take one reason back; handle what has arrived, and read on."""
        if reason not in self.held:
            return
        self.held.discard(reason)
        if self.held or self.closing:
            return
        self._alive()
        self._tcp.resumeProducing()
        self._handle()

    def check_time(self, now: float) -> None:
        """Close if the agent has been silent for too long."""
        if now < self._deadline:
            return
        if self.closing:
            self._abort(self._code)
        elif not self.known:
            self.close(Code.HELLO_TIMEOUT, f"no hello within {self._registry.limits.hello_s:g} s")
        elif self.held:
            self._alive()
        elif self._in_message:
            self.close(Code.INCOMPLETE, f"a message not ended within {self._registry.limits.silence_s:g} s")
        else:
            self.close(Code.IDLE, f"nothing for {self._registry.limits.silence_s:g} s")

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """The agent doesn't read what it is sent."""
        self.hold("peer")

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """It reads again."""
        self.release("peer")

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Called when the connection is lost."""

    def _handle(self) -> None:
        with correlation.scope(self.id):
            self._handle_messages()

    def _handle_messages(self) -> None:
        try:
            try:
                self._give_messages()
            finally:
                self._handler.paused()
        except WireError as error:
            self._handler.broken(error)
            self.close(error.code, str(error))
        except Exception:  # noqa: BLE001 - one agent's trouble is no other's
            _log.failure("connection {id}", id=self.id)
            self.close(Code.INTERNAL, "the gateway failed")

    def _give_messages(self) -> None:
        received = self._handler.received
        for message in self._decoder.messages():
            self._in_message = False
            received(message)
            if self.held or self.closing:
                return
        self._note_progress()

    def _note_progress(self) -> None:
        """Time runs from the last whole message, or from the start of the one under way."""
        if not self.known:
            return
        if not (self._in_message and self._decoder.partial):
            self._alive()
        self._in_message = self._decoder.partial

    def _alive(self) -> None:
        self._deadline = self._registry.now() + self._registry.limits.silence_s

    def _abort(self, code: str) -> None:
        self.closing, self._code = True, code
        self._tcp.abortConnection()

    def _wire_limits(self, payload_bytes: int) -> wire.Limits:
        return wire.Limits(self._registry.limits.line_bytes, payload_bytes)

    @property
    def _tcp(self) -> Any:
        """The transport, whose TLS form no interface of Twisted describes in full."""
        return self.transport


_log = Logger(namespace="gateway")
