"""An agent for tests: a blocking TLS client of protocol version 2 that does only what it is told."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from agent import wire


class AgentClient:
    """One connection to a gateway. `acknowledged` holds the SEQs that the gateway made durable."""

    def __init__(self, address: tuple[str, int], ca: Path, timeout_s: float = 30) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        raw = socket.create_connection(address, timeout_s)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw, server_hostname="localhost")
        self._decoder = wire.Decoder(wire.Side.GATEWAY, wire.Limits())
        self._received: list[wire.Message] = []
        self._sent: set[int] = set()
        self._in_flight = 1
        self.acknowledged: set[int] = set()
        self.node = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hello(self, key: dict[str, str], machine: str, **more: str) -> dict[str, Any]:
        """Say hello as `machine`; what the gateway said when it accepted."""
        about = {"version": "test", "host": machine, "platform": "linux", "machine": machine}
        text = json.dumps({**key, **about, **more, "encodings": ["json", "zlib"]})
        self.send(wire.encode("hello 2", payload=text.encode()))
        accepted: dict[str, Any] = json.loads(self.expect("accepted").payload)
        self.node = accepted["node"]
        self._in_flight = accepted["limits"]["in_flight"]
        return accepted

    def frame(self, seq: int, results: list[dict[str, Any]], time_ms: int | None = None) -> None:
        """Send one frame as plain JSON, when the gateway takes another."""
        while len(self._sent - self.acknowledged) >= self._in_flight:
            self.expect("ack")
        self._sent.add(seq)
        body = {"time": time_ms or int(time.time() * 1000), "results": results}
        self.send(wire.encode("frame", seq, "json", payload=json.dumps(body).encode()))

    def send(self, data: bytes) -> None:
        """Send bytes, whatever they mean."""
        self._socket.sendall(data)

    def expect(self, command: str) -> wire.Message:
        """The next message of this name; acknowledgements on the way are noted."""
        for message in self.messages():
            if message.command == command:
                return message
        raise AssertionError(f"the gateway closed the connection before {command!r}")

    def wait_for(self, seqs: set[int]) -> None:
        """Return when all of `seqs` are acknowledged."""
        while not seqs <= self.acknowledged:
            self.expect("ack")

    def messages(self) -> Iterator[wire.Message]:
        """What the gateway says, until it closes the connection."""
        while True:
            while self._received:
                yield self._received.pop(0)
            data = self._socket.recv(65536)
            if not data:
                return
            self._decoder.feed(data)
            for message in self._decoder.messages():
                if message.command == "ack":
                    self.acknowledged.update(map(int, message.words))
                self._received.append(message)
