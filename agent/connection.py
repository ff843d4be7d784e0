"""One connection to a gateway, from hello to its end: what is said, and what is done with what is heard."""

import asyncio
import json
import logging
import os
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from agent import wire
from agent.clock import Clock
from agent.config import Config
from agent.schedule import Schedule
from agent.spool import Spool
from agent.state import State
from agent.wire import Message

VERSION = "0.1.0"
CONNECT_S = 20.0
HELLO_S = 30.0
MISSED_PONGS = 2
log = logging.getLogger("agent.connection")


class Ended(Exception):
    """The connection is over, with the reason in words."""


class Redirected(Ended):
    """The gateway wants the agent elsewhere, at `endpoint`."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(f"redirected to {endpoint}")
        self.endpoint = endpoint


class Connection:
    """`accepted` is whether this connection got so far. `run` ends by raising Ended."""

    def __init__(self, config: Config, state: State, clock: Clock, spool: Spool, schedule: Schedule) -> None:
        self.accepted = False
        self._config, self._state, self._clock = config, state, clock
        self._spool, self._schedule = spool, schedule
        self._decoder = wire.Decoder(wire.Side.GATEWAY, wire.Limits())
        self._in_flight: set[int] = set()
        self._window, self._most_bytes, self._ping_s = 1, wire.Limits().payload_bytes, 30.0
        self._slow_until = 0.0
        self._unanswered = 0
        self._answering: set[asyncio.Task[None]] = set()

    async def run(self, host: str, port: int) -> None:
        """Connect, say hello, send and receive. Raises Ended or Redirected."""
        try:
            await self._connect(host, port)
            await self._converse()
        except (OSError, ssl.SSLError, TimeoutError) as error:
            raise Ended(str(error) or type(error).__name__) from error
        except wire.WireError as error:
            raise Ended(f"the gateway broke the protocol: {error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Close at once."""
        if hasattr(self, "_writer"):
            self._writer.close()

    async def _connect(self, host: str, port: int) -> None:
        context = ssl.create_default_context(cafile=self._config.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        name = self._config.server_name or host
        async with asyncio.timeout(CONNECT_S):
            opened = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
        self._reader, self._writer = opened
        self._writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def _converse(self) -> None:
        self._say("hello 2", payload=json.dumps(self._hello()).encode())
        async with asyncio.timeout(HELLO_S):
            while not self.accepted:
                await self._listen()
        tasks = [asyncio.create_task(each()) for each in (self._hear, self._send, self._ping)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in (*tasks, *self._answering):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hello(self) -> dict[str, Any]:
        about = {
            "version": VERSION,
            "host": socket.gethostname(),
            "platform": f"{os.uname().sysname}_{os.uname().machine}",
            "machine": self._state.machine(),
            "encodings": ["zlib", "json"],
        }
        if self._state.node:
            about |= {"node": self._state.node, "node_secret": self._state.node_secret}
        return {"key": self._config.oauth_key, "secret": self._config.oauth_secret, **about}

    async def _hear(self) -> None:
        while True:
            await self._listen()

    async def _listen(self) -> None:
        data = await self._reader.read(65536)
        if not data:
            raise Ended("the gateway closed the connection")
        self._decoder.feed(data)
        for message in self._decoder.messages():
            self._heard(message)

    def _heard(self, message: Message) -> None:
        handlers: dict[str, Callable[..., None]] = {
            "accepted": self._accept,
            "checks": lambda text: self._schedule.assign(json.loads(text)),
            "ack": self._acknowledged,
            "refused": self._refused,
            "pong": self._pong,
            "slow": self._slow,
            "run_check": self._run_check,
            "error": self._error,
            "redirect": self._redirect,
            "restart": self._restart,
        }
        handler = handlers.get(message.command)
        if handler is None:
            log.warning("this agent cannot do %s yet", message.command)
            return
        payload = (message.payload,) if wire.COMMANDS[wire.Side.GATEWAY][message.command].payload else ()
        try:
            handler(*message.words, *payload)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Ended(f"the gateway sent a {message.command} that makes no sense: {error!r}") from error

    def _accept(self, payload: bytes) -> None:
        said = json.loads(payload)
        ahead_ms = self._clock.correct(int(said["time_ms"]))
        self._state.bind(said["node"], said.get("node_secret") or "")
        self._ping_s = float(said["ping_s"])
        self._window = max(1, int(said["limits"]["in_flight"]))
        self._most_bytes = int(said["limits"]["frame_bytes"])
        self._spool.rewind()
        self.accepted = True
        log.info("accepted as node %s; this machine's clock is %+d ms ahead", said["node"], ahead_ms)

    def _acknowledged(self, *seqs: str) -> None:
        for seq in seqs:
            self._in_flight.discard(int(seq))
            self._spool.forget(int(seq))

    def _refused(self, seq: str, code: str, text: str) -> None:
        log.error("frame %s was refused: %s %s", seq, code, text)
        self._spool.refused += 1
        self._acknowledged(seq)

    def _pong(self, _time: str) -> None:
        self._unanswered = 0

    def _slow(self, ms: str) -> None:
        self._slow_until = time.monotonic() + int(ms) / 1000

    def _error(self, code: str, text: str) -> None:
        raise Ended(f"{code}: {text}")

    def _redirect(self, endpoint: str) -> None:
        raise Redirected(endpoint)

    def _restart(self) -> None:
        raise Ended("the gateway asks for a new connection")

    def _run_check(self, token: str, check: str, payload: bytes) -> None:
        task = asyncio.create_task(self._answer(token, check, json.loads(payload)))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, token: str, check: str, params: dict[str, Any]) -> None:
        self._say("result", check, token, payload=await self._schedule.run_now(check, "", params))

    async def _send(self) -> None:
        while True:
            while len(self._in_flight) < self._window and (entry := self._spool.take()):
                if len(entry.payload) > self._most_bytes:
                    self._refused(str(entry.seq), "too_large", "for this gateway")
                    continue
                await asyncio.sleep(max(0.0, self._slow_until - time.monotonic()))
                self._in_flight.add(entry.seq)
                self._say("frame", entry.seq, entry.encoding, payload=entry.payload)
                await self._writer.drain()
            await self._spool.changed()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(self._ping_s)
            if self._unanswered >= MISSED_PONGS:
                raise Ended(f"no answer to {self._unanswered} pings")
            self._unanswered += 1
            self._say("ping", f"{time.time():.3f}")

    def _say(self, command: str, *words: str | int, payload: bytes | None = None) -> None:
        with suppress(RuntimeError):  # the transport is closing: reading will tell
            self._writer.write(wire.encode(command, *words, payload=payload))
