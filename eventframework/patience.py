"""Waiting for answers that may take only so long, on a clock that can be stopped."""

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from eventframework.clock import Clock
from eventframework.errors import BrokerUnavailable

T = TypeVar("T")


class Patience:
    """Gives up on each answer that takes longer than `limit_s`; time does not count while it is paused.

    One timer is enough for all who wait: who began first is late first.
    """

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._due_s: dict[Deferred[Any], float] = {}
        self._late: set[Deferred[Any]] = set()
        self._paused = False
        self._timer: Any = None

    def __len__(self) -> int:
        return len(self._due_s)

    def pause(self, paused: bool) -> None:
        """Stop the clock, or let everyone who waits have all of the limit again."""
        self._paused = paused
        self._due_s = dict.fromkeys(self._due_s, self._clock.seconds() + self._limit_s)
        self._set_timer()

    async def wait(self, answer: Deferred[T], what: str) -> T:
        """The answer; raises BrokerUnavailable when it takes too long."""
        self._due_s[answer] = self._clock.seconds() + self._limit_s
        if self._timer is None:
            self._set_timer()
        try:
            return await answer
        except Exception:
            if answer in self._late:
                raise BrokerUnavailable(f"{what}: no answer within {self._limit_s} s") from None
            raise
        finally:
            self._late.discard(answer)
            del self._due_s[answer]
            if not self._due_s:
                self._set_timer()

    def _set_timer(self) -> None:
        """For the first who is due, if time counts and anybody waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due_s and not self._paused:
            wait_s = next(iter(self._due_s.values())) - self._clock.seconds()
            self._timer = self._clock.callLater(max(wait_s, 0), self._look)

    def _look(self) -> None:
        self._timer = None
        now_s = self._clock.seconds()
        late = [answer for answer, due_s in self._due_s.items() if due_s <= now_s]
        self._late.update(late)
        for answer in late:
            answer.cancel()
        self._set_timer()
