"""Waiting for answers that may take only so long, on a clock that can be stopped."""

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from eventframework.clock import Clock, stop_timer
from eventframework.errors import BrokerUnavailable

T = TypeVar("T")


class Patience:
    """Gives up on each answer that takes longer than `limit_s`; time does not count while it is paused."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._timers: dict[Deferred[Any], Any] = {}
        self._late: set[Deferred[Any]] = set()
        self._paused = False

    def __len__(self) -> int:
        return len(self._timers)

    def pause(self, paused: bool) -> None:
        """Stop the clock, or let everyone who waits have all of the limit again."""
        self._paused = paused
        for answer, timer in self._timers.items():
            if timer is not None:
                stop_timer(timer)
            self._timers[answer] = self._timer(answer)

    async def wait(self, answer: Deferred[T], what: str) -> T:
        """The answer; raises BrokerUnavailable when it takes too long."""
        self._timers[answer] = self._timer(answer)
        try:
            return await answer
        except Exception:
            if answer in self._late:
                raise BrokerUnavailable(f"{what}: no answer within {self._limit_s} s") from None
            raise
        finally:
            self._late.discard(answer)
            timer = self._timers.pop(answer)
            if timer is not None:
                stop_timer(timer)

    def _timer(self, answer: Deferred[Any]) -> Any:
        return None if self._paused else self._clock.callLater(self._limit_s, self._give_up, answer)

    def _give_up(self, answer: Deferred[Any]) -> None:
        self._late.add(answer)
        answer.cancel()
