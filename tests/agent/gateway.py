"""A gateway for tests: asyncio and TLS on a free port; it does what the test tells it to."""

import asyncio
import json
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from agent.wire import Decoder, Limits, Message, Side, encode
from picket.tls import TlsFiles

ASSIGNMENT: list[dict[str, Any]] = [
    {"check": name, "key": "", "params": {}, "interval_s": 10} for name in ("cpu", "mem", "net")
]


@dataclass
class Seen:
    """What the gateway heard on all connections, oldest first."""

    hellos: list[dict[str, Any]] = field(default_factory=list)
    frames: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    pings: int = 0

    def seqs(self) -> list[int]:
        return [seq for seq, _ in self.frames]


class Link:
    """One agent's connection."""

    def __init__(self, number: int, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._writer = writer

    def say(self, command: str, *words: str | int, payload: Any = None) -> None:
        body = None if payload is None else json.dumps(payload).encode()
        self._writer.write(encode(command, *words, payload=body))

    def drop(self) -> None:
        self._writer.transport.abort()


def acknowledge(link: Link, message: Message) -> None:
    """Every frame is made durable."""
    if message.command == "frame":
        link.say("ack", message.words[0])


class TestGateway:
    """Accepts every hello as node n1; `react` is called with whatever comes after it."""

    __test__ = False

    def __init__(self, files: TlsFiles, react: Callable[[Link, Message], None] = acknowledge) -> None:
        self._files = files
        self.react = react
        self.seen = Seen()
        self.port = 0
        self.ahead_ms = 0
        self.in_flight = 8
        self._links = 0

    async def __aenter__(self) -> Self:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self._files.certificate, self._files.private_key)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links += 1
        link, decoder = Link(self._links, writer), Decoder(Side.AGENT, Limits())
        try:
            while data := await reader.read(65536):
                decoder.feed(data)
                for message in decoder.messages():
                    self._hear(link, message)
        except OSError:
            pass
        finally:
            writer.close()

    def _hear(self, link: Link, message: Message) -> None:
        match message.command:
            case "hello 2":
                self.seen.hellos.append(json.loads(message.payload))
                self._accept(link)
            case "frame":
                payload = zlib.decompress(message.payload) if message.words[1] == "zlib" else message.payload
                self.seen.frames.append((int(message.words[0]), json.loads(payload)))
            case "result":
                self.seen.results.append((message.words[1], json.loads(message.payload)))
            case "ping":
                self.seen.pings += 1
                link.say("pong", message.words[0])
        self.react(link, message)

    def _accept(self, link: Link) -> None:
        limits = {"frame_bytes": 1 << 20, "in_flight": self.in_flight}
        now_ms = int(time.time() * 1000) + self.ahead_ms
        said = {"node": "n1", "node_secret": "s1", "time_ms": now_ms, "ping_s": 30, "limits": limits}
        link.say("accepted", payload=said)
        link.say("checks", payload=ASSIGNMENT)
