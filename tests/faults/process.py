"""The processes of a load: its publisher, its consumers, or both in one.

They run as Picket's own do: Twisted's asyncio reactor, started and stopped by `picket.process`.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from eventframework import Batch, EventError, Framework, Policy, connection, current
from eventframework.broker import Broker
from eventframework.clock import sleep
from eventframework.event import encode
from eventframework.memory import MemoryBroker
from eventframework.rabbitmq import RabbitBroker
from eventframework.topology import Limits
from picket import process, reactor
from picket.settings import Settings
from tests.faults.load import (
    ANY,
    BATCH,
    EVENT,
    MAIL,
    STREAM,
    TOPOLOGY,
    Confirmed,
    Delivered,
    Lines,
    Load,
    Loaded,
    Sent,
    uptime_ms,
)

AGAIN_S = 0.05
BACKOFF_S = (0.1,) * 4
DRAIN_S = 3.0


class Publisher:
    """Publishes the load, each number until it is confirmed."""

    def __init__(self, load: Load, framework: Framework, clock: reactor.Reactor, folder: Path) -> None:
        self._load, self._framework, self._clock = load, framework, clock
        self._published, self._confirmed = Lines(folder, "published"), Lines(folder, "confirmed")
        self._began = 0.0

    def start(self) -> None:
        """Begin."""
        self._began = self._clock.seconds()
        numbers = iter(range(self._load.events))
        lanes = [self._events(numbers) for _ in range(self._load.at_once)]
        lanes += map(self._batches, range(self._load.partitions))
        everything: Deferred[Any] = gatherResults([Deferred.fromCoroutine(lane) for lane in lanes])
        everything.addErrback(partial(Logger().failure, "the publisher failed"))

    async def _events(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._due(number / self._load.events)
            event = Loaded(sent_ms=uptime_ms(), padding="x" * self._load.event_bytes)
            body = encode(event, event_id=f"{number:032x}", time_ms=0)
            await self._insist(Sent(EVENT, number), partial(self._framework.relay, Loaded.topic, body))

    async def _batches(self, partition: int) -> None:
        """One after the other, as the gateway does."""
        stream = self._framework.stream(STREAM)
        for number in range(partition, self._load.batches, self._load.partitions):
            await self._due(number / self._load.batches)
            body = f"{number} {uptime_ms()} ".encode().ljust(self._load.batch_bytes)
            await self._insist(Sent(BATCH, number), partial(stream.publish, partition, body))

    async def _insist(self, line: Sent, publish: Callable[[], Awaitable[None]]) -> None:
        self._published.add(line)
        began_ms = uptime_ms()
        while True:
            try:
                await publish()
                return self._confirmed.add(Confirmed(*line, uptime_ms() - began_ms))
            except EventError:
                await sleep(self._clock, AGAIN_S)

    async def _due(self, share: float) -> None:
        """Wait for the time of what comes after that share of the load."""
        if self._load.per_s:
            at = self._began + share * self._load.events / self._load.per_s
            if (wait_s := at - self._clock.seconds()) > 0:
                await sleep(self._clock, wait_s)


class Consumer:
    """Takes everything under every tag, and writes down what it got."""

    def __init__(
        self, load: Load, framework: Framework, clock: reactor.Reactor, folder: Path, name: str
    ) -> None:
        self._load, self._clock, self._name = load, clock, name
        self._delivered = Lines(folder, "delivered")
        framework.subscribe(Loaded, partial(self._event, ANY), Policy.ROUND_ROBIN)
        framework.subscribe(Loaded, partial(self._event, MAIL), Policy.SCOPED_ROUND_ROBIN, tag=MAIL)
        for tap in TOPOLOGY.taps:
            framework.stream(STREAM).consume(tap.tag, partial(self._batch, tap.tag))

    async def _event(self, tag: str, event: Loaded) -> None:
        number = int(current().id, 16)
        if self._load.is_poison(number):
            raise ValueError(f"event {number} is poison")
        await self._work(tag, number, 0, event.sent_ms)

    async def _batch(self, tag: str, batch: Batch) -> None:
        number, sent_ms = map(int, batch.body.split())
        await self._work(tag, number, batch.partition, sent_ms)

    async def _work(self, tag: str, number: int, partition: int, sent_ms: int) -> None:
        self._delivered.add(Delivered(tag, number, partition, uptime_ms() - sent_ms, self._name))
        if self._load.work_s:
            await sleep(self._clock, self._load.work_s)


class Loading:
    """One process of a load."""

    def __init__(self, role: str, folder: Path, name: str, clock: reactor.Reactor) -> None:
        load = Load.of(folder)
        connection.HEARTBEAT_S = load.heartbeat_s
        self._framework = Framework(
            _broker(load, folder, clock, name), clock, backoff_s=BACKOFF_S, drain_s=DRAIN_S
        )
        if role != "publisher":
            Consumer(load, self._framework, clock, folder, name)
        self._publisher = Publisher(load, self._framework, clock, folder) if role != "consumer" else None
        self._ready = folder / f"{name}.ready"

    async def start(self) -> None:
        """Connect, and begin."""
        await self._framework.start()
        self._ready.touch()
        if self._publisher:
            self._publisher.start()

    async def stop(self) -> None:
        """Let the handlers finish."""
        await self._framework.stop()


def _broker(load: Load, folder: Path, clock: reactor.Reactor, name: str) -> Broker:
    if not load.url:
        return MemoryBroker(
            folder / "journal.db",
            clock,
            topology=TOPOLOGY,
            partitions=load.partitions,
            limits=Limits(load.most_bytes, load.most_bytes, load.most_bytes),
            events_bytes=load.most_bytes,
        )
    return RabbitBroker([load.url], clock, name, topology=TOPOLOGY, partitions=load.partitions)


def run(role: str, folder: str, name: str) -> int:
    """Run a process until it is done, or told to stop; `role` is publisher, consumer or both."""
    settings = Settings.model_validate({"home": folder})
    return process.serve(lambda clock: Loading(role, Path(folder), name, clock), settings, verbose=True)
