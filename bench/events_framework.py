"""Picket's own contender of `bench events`: the framework over whichever broker."""

from typing import Any

from bench.events_work import NUMBER_BYTES, PARTITIONS, WINDOW, Arrived, event
from eventframework import Batch, Framework, Policy
from eventframework.broker import Broker
from eventframework.catalogue import StateChanged


class OverFramework:
    """Publishes events to a scoped subscriber, and batches to the archive's tag, in one process."""

    def __init__(self, name: str, broker: Broker, reactor: Any) -> None:
        self.name = name
        self._framework = Framework(broker, reactor)
        self._stream = self._framework.stream("bench")

    async def open(self, on_event: Arrived, on_batch: Arrived) -> None:
        """Subscribe and connect."""

        async def handle(event: StateChanged) -> None:
            on_event(event.time_ms)

        async def archive(batch: Batch) -> None:
            on_batch(int.from_bytes(batch.body[:NUMBER_BYTES]))

        policy = Policy.SCOPED_ROUND_ROBIN
        self._framework.subscribe(StateChanged, handle, policy, tag="bench", at_once=WINDOW, prefetch=WINDOW)
        self._stream.consume("archive", archive)
        await self._framework.start()

    async def close(self) -> None:
        """Stop the framework."""
        await self._framework.stop()

    async def publish(self, number: int) -> None:
        """One event through the framework."""
        await self._framework.publish(event(number))

    async def publish_batch(self, number: int, body: bytes) -> None:
        """One batch to its partition's queue."""
        await self._stream.publish(number % PARTITIONS, body)
