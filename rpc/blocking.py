"""What carries the calls of a blocking proxy: plain sockets, each thread's own."""

import socket
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any

from rpc.codec import MAX_MESSAGE_BYTES, BadMessage, decode_reply, encode_call
from rpc.errors import Unavailable
from rpc.proxy import Endpoints, attempts


class BlockingCarrier:
    """Carries calls from threads; each keeps a socket an endpoint, and knows which answered last."""

    def __init__(self, interface: str, endpoints: Endpoints, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._interface = interface
        self._endpoints = list(endpoints)
        self._kept = _Kept()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Wait for the answer; raises what the service raised, or Unavailable."""
        until = time.monotonic() + self.deadline_s
        failure: Exception = Unavailable("no endpoint")
        for index, shares in attempts(len(self._endpoints), self._kept.preferred):
            left_s = until - time.monotonic()
            if left_s <= 0:
                break
            self._kept.preferred = index
            try:
                return self._attempt(index, method, arguments, left_s / shares)
            except (OSError, Unavailable) as error:
                failure = error
                if len(self._endpoints) == 1 and isinstance(error, TimeoutError | Unavailable):
                    break
        raise Unavailable(f"{self._interface}: {failure}") from failure

    def _attempt(self, index: int, method: str, arguments: Sequence[Any], timeout_s: float) -> Any:
        until = time.monotonic() + timeout_s
        kept = self._kept.sockets.pop(index, None)
        connection = kept or socket.create_connection(self._endpoints[index], timeout_s)
        try:
            connection.settimeout(max(until - time.monotonic(), 0.001))
            message = encode_call(self._interface, method, 1, arguments)
            connection.sendall(struct.pack("!I", len(message)) + message)
            (length,) = struct.unpack("!I", _receive(connection, 4, until))
            if length > MAX_MESSAGE_BYTES:
                raise BadMessage("an answer over the limit")
            reply = decode_reply(self._interface, _receive(connection, length, until))
        except BaseException as error:
            connection.close()
            if isinstance(error, BadMessage):
                raise Unavailable(str(error)) from error
            raise
        self._kept.sockets[index] = connection
        if reply.error is not None:
            raise reply.error
        return reply.result

    def close(self) -> None:
        """Close the connections of the calling thread."""
        for connection in self._kept.sockets.values():
            connection.close()
        self._kept.sockets.clear()


class _Kept(threading.local):
    """What one thread keeps between calls."""

    def __init__(self) -> None:
        self.sockets: dict[int, socket.socket] = {}
        self.preferred = 0


def _receive(connection: socket.socket, size: int, until: float) -> bytes:
    """Exactly `size` bytes before `until` (monotonic); raises OSError."""
    parts = bytearray()
    while len(parts) < size:
        connection.settimeout(max(until - time.monotonic(), 0.001))
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise ConnectionError("the connection ended before the answer")
        parts += part
    return bytes(parts)
