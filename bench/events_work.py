"""The work of `bench events`, the same for every contender, and the process that does it.

`python -m bench.events_work framework|bare|memory PLACE` reads commands, one JSON array a line, and answers
each with one JSON value. PLACE is an AMQP URL, or the folder of a journal.

    ["events", COUNT]             [seconds, lost]: from the first publish to the last handler's end
    ["batches", COUNT]            [seconds, lost]: the same with batches of BATCH_BYTES
    ["latencies", RATE, SECONDS]  milliseconds from publish to handler of each event of a steady load
"""

import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from eventframework.catalogue import StateChanged
from picket import reactor as picket_reactor

PARTITIONS = 16
WINDOW = 200
"""Events published and not yet confirmed, and events delivered and not yet acknowledged."""

BATCH_BYTES = 128 << 10
BATCH_WINDOW = 32
"""Batches published and not yet confirmed; each partition's consumer may hold as many."""

NUMBER_BYTES = 4
"""At the beginning of a batch: its number."""

PATIENCE_S = 30.0

Send = Callable[[int], Awaitable[None]]
Arrived = Callable[[int], None]


class Contender(Protocol):
    """One way to publish and consume; `name` heads its row of the table."""

    name: str

    async def open(self, on_event: Arrived, on_batch: Arrived) -> None:
        """Connect and consume; from now on tell the number of whatever is handled."""

    async def close(self) -> None:
        """Let go of everything."""

    async def publish(self, number: int) -> None:
        """Return when the event is confirmed."""

    async def publish_batch(self, number: int, body: bytes) -> None:
        """Return when the batch is confirmed."""


def event(number: int) -> StateChanged:
    """An event as they are: about 300 bytes on the wire."""
    ids = {"account_id": "a0123456789", "node_id": "n0123456789"}
    return StateChanged(**ids, kind="data", old="present", new="absent", time_ms=number)


class Work:
    """Drives one contender, and sees what arrives."""

    def __init__(self, contender: Contender, reactor: Any) -> None:
        self._contender = contender
        self._reactor = reactor
        self._filling = os.urandom(BATCH_BYTES - NUMBER_BYTES)
        self._missing: dict[int, float] = {}
        self._latencies: list[float] = []
        self._done: Deferred[None] = Deferred()

    async def open(self) -> None:
        """Make the contender ready."""
        await self._contender.open(self._arrived, self._arrived)

    async def events(self, count: int) -> list[float]:
        """[seconds, lost] of so many events, WINDOW of them in flight."""
        return await self._timed(count, WINDOW, self._contender.publish)

    async def batches(self, count: int) -> list[float]:
        """[seconds, lost] of so many batches, BATCH_WINDOW of them in flight."""

        async def send(number: int) -> None:
            await self._contender.publish_batch(number, number.to_bytes(NUMBER_BYTES) + self._filling)

        return await self._timed(count, BATCH_WINDOW, send)

    async def latencies(self, rate: float, seconds: float) -> list[float]:
        """Milliseconds of each event that came; one is published at its time, whatever the others do."""
        count = int(rate * seconds)
        self._expect(count)
        begin, sent = time.perf_counter(), list[Deferred[None]]()
        for number in range(count):
            wait_s = begin + number / rate - time.perf_counter()
            await deferLater(self._reactor, max(0.0, wait_s))
            self._missing[number] = time.perf_counter()
            sent.append(Deferred.fromCoroutine(self._contender.publish(number)))
        await gatherResults(sent)
        await self._all_arrived()
        return [1000 * latency for latency in self._latencies]

    async def _timed(self, count: int, window: int, send: Send) -> list[float]:
        self._expect(count)
        begin = time.perf_counter()
        numbers = iter(range(count))

        async def lane() -> None:
            for number in numbers:
                await send(number)

        await gatherResults([Deferred.fromCoroutine(lane()) for _ in range(window)])
        lost = await self._all_arrived()
        return [time.perf_counter() - begin, lost]

    def _expect(self, count: int) -> None:
        self._missing = dict.fromkeys(range(count), 0.0)
        self._latencies = []
        self._done = Deferred()

    def _arrived(self, number: int) -> None:
        sent = self._missing.pop(number, None)
        if sent is not None:
            self._latencies.append(time.perf_counter() - sent)
            if not self._missing:
                self._done.callback(None)

    async def _all_arrived(self) -> int:
        self._done.addTimeout(PATIENCE_S, self._reactor, onTimeoutCancel=lambda *_: None)
        await self._done
        return len(self._missing)


def contender(kind: str, place: str, reactor: Any) -> Contender:
    """What PLACE means depends on the kind."""
    from bench.events_framework import OverFramework
    from bench.peers.bare_pika import BarePika
    from eventframework.memory import MemoryBroker
    from eventframework.rabbitmq import RabbitBroker

    if kind == "bare":
        return BarePika(place, reactor)
    if kind == "memory":
        return OverFramework("memory", MemoryBroker(Path(place, "events.db"), reactor), reactor)
    return OverFramework("framework", RabbitBroker([place], reactor, "bench"), reactor)


async def answer(work: Work) -> None:
    """Answer commands until the input ends."""
    await work.open()
    while line := await deferToThread(sys.stdin.readline):
        name, *arguments = json.loads(line)
        if name not in ("events", "batches", "latencies"):
            raise ValueError(f"no such command: {name}")
        print(json.dumps(await getattr(work, name)(*arguments)), flush=True)


def main(kind: str, place: str) -> None:
    """Run the reactor for as long as there are commands."""
    picket_reactor.install()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    made = contender(kind, place, reactor)

    async def run() -> None:
        try:
            await answer(Work(made, reactor))
            await made.close()
        finally:
            reactor.stop()

    running: list[Deferred[None]] = []
    reactor.callWhenRunning(lambda: running.append(Deferred.fromCoroutine(run())))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
