"""Agents made up for a load: each is one TLS connection that keeps a number of frames in flight."""

import asyncio
import ssl
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from agent import wire
from bench.errors import BenchError
from bench.points import Span, payload

READ_BYTES = 65536
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Target:
    """The gateway, the key that agents show it, how many of them there are, and their frames in flight."""

    host: str
    port: int
    ca: str
    key: str
    secret: str
    nodes: int
    in_flight: int


class Identity(NamedTuple):
    """What makes a stored frame the one that was sent; `digest` is the payload's CRC-32."""

    node: str
    time_ms: int
    origin: str
    digest: int


class Fleet:
    """All agents of a target. Frames are prepared first, so that sending them costs little."""

    def __init__(self, target: Target) -> None:
        self._agents = [_Agent(target, number) for number in range(target.nodes)]

    async def connect(self) -> None:
        """Every agent says hello; raises BenchError if one is not accepted."""
        await asyncio.gather(*(agent.connect() for agent in self._agents))

    def prepare(self, span: Span) -> int:
        """Make the frames that `send` is to send; how many they are."""
        for time_ms, node, row in span.frames():
            self._agents[node].prepare(time_ms, payload(time_ms, row))
        return span.nodes * span.count

    async def send(self) -> int:
        """Send what is prepared; how many frames are acknowledged, which is all of them, or BenchError."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return sum(await asyncio.gather(*(agent.send() for agent in self._agents)))
        except TimeoutError as error:
            raise BenchError(f"not every frame is acknowledged after {PATIENCE_S:.0f} s") from error

    def acknowledged(self) -> Iterator[Identity]:
        """Every frame that the gateway has taken responsibility for."""
        for agent in self._agents:
            yield from agent.acknowledged.values()


class _Agent:
    def __init__(self, target: Target, number: int) -> None:
        self.acknowledged: dict[int, Identity] = {}
        self._target = target
        self._name = f"bench-{number}"
        self._decoder = wire.Decoder(wire.Side.GATEWAY, wire.Limits())
        self._prepared: dict[int, tuple[Identity, bytes]] = {}
        self._seq = 0
        self._node = ""

    async def connect(self) -> None:
        at = self._target
        context = ssl.create_default_context(cafile=at.ca)
        opened = asyncio.open_connection(at.host, at.port, ssl=context, server_hostname="localhost")
        self._reader, self._writer = await opened
        self._writer.write(wire.encode("hello 2", payload=orjson.dumps(self._hello())))
        self._node = await self._accepted()

    def _hello(self) -> dict[str, object]:
        about = {"version": "bench", "host": self._name, "platform": "linux", "machine": self._name}
        return {"key": self._target.key, "secret": self._target.secret, "encodings": ["zlib"], **about}

    async def _accepted(self) -> str:
        while True:
            for message in await self._messages():
                if message.command == "accepted":
                    return str(orjson.loads(message.payload)["node"])

    def prepare(self, time_ms: int, packed: bytes) -> None:
        self._seq += 1
        identity = Identity(self._node, time_ms, f"a:{self._seq}", zlib.crc32(packed))
        self._prepared[self._seq] = identity, wire.encode("frame", self._seq, "zlib", payload=packed)

    async def send(self) -> int:
        under_way, self._prepared = self._prepared, {}
        frames = iter([frame for _, frame in under_way.values()])
        count = len(under_way)
        self._write(frames, self._target.in_flight)
        while under_way:
            done = [seq for message in await self._messages() for seq in _acknowledged(message)]
            self.acknowledged |= {seq: under_way.pop(seq)[0] for seq in done}
            self._write(frames, len(done))
        return count

    def _write(self, frames: Iterator[bytes], count: int) -> None:
        self._writer.writelines([frame for _, frame in zip(range(count), frames, strict=False)])

    async def _messages(self) -> list[wire.Message]:
        data = await self._reader.read(READ_BYTES)
        if not data:
            raise BenchError(f"the gateway closed the connection of {self._name}")
        self._decoder.feed(data)
        return [_good(message) for message in self._decoder.messages()]


def _good(message: wire.Message) -> wire.Message:
    if message.command in ("error", "refused", "redirect", "restart"):
        raise BenchError(f"the gateway says: {message.command} {' '.join(message.words)}")
    return message


def _acknowledged(message: wire.Message) -> list[int]:
    return [int(word) for word in message.words] if message.command == "ack" else []
