"""Work that comes again and again by the clock, as a part of a service."""

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from services.base import Service


class Periodic(Service):
    """Awaits `work` every `every_s` seconds, the first time after as long or `at_once`.

    What is not done is waited for. A failure is logged, and the work comes again. Draining cancels what is
    under way.
    """

    name = "periodic"

    def __init__(
        self, clock: Any, every_s: float, work: Callable[[], Awaitable[None]], *, at_once: bool = False
    ) -> None:
        self._every_s, self._work, self._at_once = every_s, work, at_once
        self._under_way: Deferred[None] | None = None
        self._loop = LoopingCall(self._once)
        self._loop.clock = clock
        self._log = Logger(namespace=getattr(work, "__module__", self.name))

    async def start(self) -> None:
        """Begin to count the time."""
        self._loop.start(self._every_s, now=self._at_once)

    async def drain(self) -> None:
        """No more of it."""
        if self._loop.running:
            self._loop.stop()
        if self._under_way is not None:
            self._under_way.cancel()

    async def stop(self) -> None:
        """The same, where nothing was drained."""
        await self.drain()

    def _once(self) -> Deferred[None]:
        self._under_way = Deferred.fromCoroutine(self._guarded())
        return self._under_way

    async def _guarded(self) -> None:
        try:
            await self._work()
        except CancelledError:
            pass
        except Exception:  # noqa: BLE001 - one failure must not end it for good
            self._log.failure("{work} failed", work=self._work)
