"""Running one handler over the deliveries of one consumer in scopes, and waiting for those under way."""

import traceback
from collections import deque
from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from eventframework.broker import Delivery
from picket import correlation

Handle = Callable[[Delivery], Awaitable[None]]

_log = Logger(namespace="eventframework")


def traceback_of(error: Exception) -> str:
    """As Python prints it."""
    return "".join(traceback.format_exception(error))


def warn_of_retry(delay_s: float, error: Exception) -> None:
    """Log that a handler failed and will be called again."""
    said = "Failed, again in {delay_s} s: {error!r}"
    _log.warn(said, delay_s=delay_s, error=error, traceback=traceback_of(error))


class Worker:
    """Calls `handle` with deliveries in the order of their arrival, at most `at_once` of them unfinished."""

    def __init__(self, handle: Handle, at_once: int) -> None:
        self._handle = handle
        self._at_once = at_once
        self._waiting: deque[Delivery] = deque()
        self._running: set[Deferred[None]] = set()
        self._idle: list[Deferred[None]] = []

    def take(self, delivery: Delivery) -> None:
        """Handle it now or, in its turn, later; once drained, never."""
        self._waiting.append(delivery)
        self._next()

    async def drain(self) -> None:
        """Begin nothing more, and return when what has begun is finished."""
        self._waiting.clear()
        self._at_once = 0
        if self._running:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle

    def _next(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            run = Deferred.fromCoroutine(self._run(self._waiting.popleft()))
            if not run.called:
                self._running.add(run)
                run.addCallback(self._finished, run)

    async def _run(self, delivery: Delivery) -> None:
        with correlation.scope():
            try:
                await self._handle(delivery)
            except CancelledError:
                pass  # Stopping: left unsettled, so that it comes again.
            except Exception:  # noqa: BLE001 - one delivery must not end the others
                _log.failure("A delivery could not be settled; it will come again")

    def _finished(self, _: None, run: Deferred[None]) -> None:
        self._running.discard(run)
        self._next()
        if not self._running:
            idle, self._idle = self._idle, []
            for waiting in idle:
                waiting.callback(None)
