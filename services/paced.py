"""A thread that leaves the processor to others for most of the time."""

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from eventframework.clock import stop_timer

T = TypeVar("T")


class PacedThread:
    """Runs one function after the other; each is followed by a rest, so that work is `share` of the time."""

    def __init__(self, reactor: Any, name: str, share: float) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, name=name)
        self._rests = 1 / share - 1
        self._turn = DeferredLock()
        self._resting: Any = None

    def start(self) -> None:
        """Make the thread ready."""
        self._pool.start()

    def stop(self) -> None:
        """Let what is under way finish, then end the thread."""
        if self._resting is not None:
            stop_timer(self._resting)
        if self._pool.started:
            self._pool.stop()

    async def run(self, thd_function: Callable[..., T], *arguments: object) -> T:
        """What the function returns or raises, once its turn has come."""
        await self._turn.acquire()
        began = self._reactor.seconds()
        try:
            return await deferToThreadPool(self._reactor, self._pool, thd_function, *arguments)
        finally:
            rest_s = (self._reactor.seconds() - began) * self._rests
            self._resting = self._reactor.callLater(max(0.0, rest_s), self._turn.release)
