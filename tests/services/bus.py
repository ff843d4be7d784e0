"""A bus of which a test is the other end: it hands batches in and sees what was published."""

from collections.abc import Awaitable, Callable
from typing import Any

from eventframework.event import Event
from eventframework.policy import Share
from eventframework.stream import Batch
from timeseries.frames import Frame, encode_batch


class FakeBus:
    """Stands for a Framework and for its stream; `error`, when set, is raised by every publish."""

    partitions = 16

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.probes: list[tuple[int, bytes]] = []
        self.handler: Callable[[Batch], Awaitable[None]]
        self.tag = ""
        self.error: Exception | None = None
        self.on_event: Callable[[], None] = lambda: None

    def stream(self, name: str) -> Any:
        assert name == "results"
        return self

    def consume(
        self,
        tag: str,
        handler: Any,
        share: Share,
        *,
        at_once: int = 1,
        released: Callable[[int], None] | None = None,
        missed: Callable[[int, int], None] | None = None,
    ) -> None:
        assert share is Share.SCOPED
        self.tag, self.handler = tag, handler
        self.released, self.missed = released, missed

    async def publish(self, *message: Any) -> None:
        """An event, or a partition and a body."""
        if self.error:
            raise self.error
        if len(message) == 1:
            self.events.append(message[0])
            self.on_event()
        else:
            self.probes.append(message)

    async def bring(self, *frames: Frame, partition: int = 0) -> None:
        await self.bring_body(encode_batch(list(frames)), partition)

    async def bring_body(self, body: bytes, partition: int = 0) -> None:
        await self.handler(Batch("results", partition, body, False))
