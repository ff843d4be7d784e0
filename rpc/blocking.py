"""What carries the calls of a blocking proxy: plain sockets, each thread's own."""

import socket
import struct
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rpc.codec import MAX_MESSAGE_BYTES, BadMessage, Reply, decode_reply, encode_call
from rpc.errors import NoAnswer, Unavailable
from rpc.proxy import Arguments
from rpc.rotation import Endpoints, Rotation


class BlockingCarrier:
    """Carries calls from threads; each keeps a socket an endpoint, and all know which endpoints rest."""

    def __init__(self, interface: str, endpoints: Endpoints, deadline_s: float) -> None:
        self._interface = interface
        self._deadline_s = deadline_s
        self._rotation = Rotation(interface, endpoints, time.monotonic)
        self._kept = _Kept()

    def call(self, method: str, arguments: Arguments) -> Any:
        """Wait for the answer; raises what the service raised, or Unavailable."""
        failure = Unavailable(f"{self._interface}: no endpoint")
        for index, timeout_s in self._rotation.attempts(time.monotonic() + self._deadline_s):
            try:
                reply = self._attempt(index, method, arguments(timeout_s), time.monotonic() + timeout_s)
            except (OSError, BadMessage) as error:
                failure = NoAnswer(f"{self._rotation.where(index)}: {error}")
                self._rotation.failed(index, error)
            except Unavailable as error:
                failure = error
                self._rotation.failed(index, error)
            else:
                self._rotation.answered(index)
                if not isinstance(reply.error, Unavailable):
                    return _result(reply)
                failure = reply.error
        raise failure

    def _attempt(self, index: int, method: str, arguments: Sequence[Any], until: float) -> Reply:
        """One endpoint's reply. A connection kept from before may have died since: then by another one."""
        message = encode_call(self._interface, method, 1, arguments)
        kept = self._kept.sockets.pop(index, None)
        if kept is not None:
            with suppress(ConnectionError):
                return self._exchange(index, kept, message, until)
        return self._exchange(index, self._connect(index, until), message, until)

    def _connect(self, index: int, until: float) -> socket.socket:
        try:
            return socket.create_connection(self._rotation.endpoints[index], _left_s(until))
        except OSError as error:
            raise Unavailable(f"{self._rotation.where(index)}: {error}") from error

    def _exchange(self, index: int, connection: socket.socket, message: bytes, until: float) -> Reply:
        try:
            connection.settimeout(_left_s(until))
            connection.sendall(struct.pack("!I", len(message)) + message)
            (length,) = struct.unpack("!I", _receive(connection, 4, until))
            if length > MAX_MESSAGE_BYTES:
                raise BadMessage("an answer over the limit")
            reply = decode_reply(self._interface, _receive(connection, length, until))
        except BaseException:
            connection.close()
            raise
        self._kept.sockets[index] = connection
        return reply

    def close(self) -> None:
        """Close the connections of the calling thread."""
        for connection in self._kept.sockets.values():
            connection.close()
        self._kept.sockets.clear()


class _Kept(threading.local):
    """What one thread keeps between calls."""

    def __init__(self) -> None:
        self.sockets: dict[int, socket.socket] = {}


def _result(reply: Reply) -> Any:
    if reply.error is not None:
        raise reply.error
    return reply.result


def _left_s(until: float) -> float:
    """Seconds to that moment (monotonic); raises TimeoutError when it has passed."""
    if (left_s := until - time.monotonic()) <= 0:
        raise TimeoutError("no answer in time")
    return left_s


def _receive(connection: socket.socket, size: int, until: float) -> bytes:
    """Exactly `size` bytes before `until` (monotonic); raises OSError."""
    parts = bytearray()
    while len(parts) < size:
        connection.settimeout(_left_s(until))
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise ConnectionError("the connection ended before the answer")
        parts += part
    return bytes(parts)
