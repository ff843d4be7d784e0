"""A service's own work in rounds: at once while there is some, else now and then; after failures, later."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from eventframework.clock import Clock, backoff_s, sleep, within


class Rounds:
    """Calls `once` again and again: at once if it returned True or was woken meanwhile, else after `rest_s`.

    If it failed, whatever the reason, it is called again after a backoff that no wake ends.
    """

    def __init__(self, clock: Clock, once: Callable[[], Awaitable[bool]], rest_s: float, log: Logger) -> None:
        self._clock = clock
        self._once = once
        self._rest_s = rest_s
        self._log = log
        self._failures = 0
        self._woken = False
        self.stopping = False
        self._resting: Deferred[None] | None = None
        self._running: Deferred[None] | None = None

    def start(self) -> None:
        """Begin the first round."""
        self._running = Deferred.fromCoroutine(self._run())

    async def stop(self, limit_s: float) -> None:
        """Begin no more; return when the round under way has ended, or was cut off after `limit_s`."""
        self.stopping = True
        self.retry()
        if self._running is not None:
            await within(self._clock, limit_s, self._running, "the round under way")

    def wake(self) -> None:
        """There is something to do."""
        self._woken = True
        if not self._failures:
            self.retry()

    def retry(self) -> None:
        """Rest no longer, whatever for."""
        if self._resting is not None:
            self._resting.cancel()

    async def _run(self) -> None:
        while not self.stopping:
            self._woken = False
            try:
                again = await self._once()
                self._failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
                self._failures += 1
                self._log.warn("again after a while: {error!r}", error=error)
                await self._rest(backoff_s(self._failures))
            else:
                if not again and not self._woken:
                    await self._rest(self._rest_s)

    async def _rest(self, delay_s: float) -> None:
        if self.stopping:
            return
        self._resting = sleep(self._clock, delay_s)
        try:
            await self._resting
        except CancelledError:
            pass
        finally:
            self._resting = None
