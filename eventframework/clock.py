"""Waiting by the clock that a component was given: the reactor, or a test's `Clock`."""

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from eventframework.errors import BrokerUnavailable

T = TypeVar("T")


class Clock(Protocol):
    """What of IReactorTime is used; seconds since the epoch, and delays in seconds."""

    def seconds(self) -> float:
        """The time."""

    def callLater(self, __delay_s: float, __call: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Call later; returns an IDelayedCall."""


class Reactor(Clock, Protocol):
    """A clock with threads and sockets: the real reactor."""

    def callFromThread(self, __call: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Call in the reactor's thread."""

    def connectTCP(self, __host: str, __port: int, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Connect a ClientFactory."""


def sleep(clock: Clock, delay_s: float) -> Deferred[None]:
    """Fire after `delay_s`; cancelling it ends the wait with CancelledError."""
    timer: Any = None
    waking: Deferred[None] = Deferred(lambda _: timer.cancel())
    timer = clock.callLater(delay_s, waking.callback, None)
    return waking


class Sleeps:
    """Waits of one component, which are over once `is_over()` says so; those under way then, at `wake`."""

    def __init__(self, clock: Clock, is_over: Callable[[], bool]) -> None:
        self._clock, self._is_over = clock, is_over
        self._sleeping: set[Deferred[None]] = set()

    async def sleep(self, delay_s: float) -> None:
        """Wait, or raise CancelledError if it is over."""
        if self._is_over():
            raise CancelledError
        sleeping = sleep(self._clock, delay_s)
        self._sleeping.add(sleeping)
        try:
            await sleeping
        finally:
            self._sleeping.discard(sleeping)

    def wake(self) -> None:
        """End those under way with CancelledError."""
        for sleeping in list(self._sleeping):
            sleeping.cancel()


def backoff_s(failures: int, slowest_s: float = 15.0) -> float:
    """How long to wait after so many failures in a row: half a second, doubled each time, never in step."""
    longest = min(slowest_s, 0.5 * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311


def after(event: Deferred[None]) -> Deferred[None]:
    """Fire when `event` does; cancelling it leaves that alone."""
    fired: Deferred[None] = Deferred()

    def fire(_: object) -> None:
        if not fired.called:
            fired.callback(None)

    event.addBoth(fire)
    return fired


async def within(clock: Clock, limit_s: float, answer: Deferred[T], what: str) -> T:
    """The answer, or BrokerUnavailable when it takes longer than `limit_s`."""
    late = False

    def give_up() -> None:
        nonlocal late
        late = True
        answer.cancel()

    timer = clock.callLater(limit_s, give_up)
    try:
        return await answer
    except Exception:
        if late:
            raise BrokerUnavailable(f"{what}: no answer within {limit_s} s") from None
        raise
    finally:
        stop_timer(timer)


async def together(answers: Sequence[Deferred[None]]) -> None:
    """Return when all have come; raises what the first of them failed with, itself."""
    try:
        await gatherResults(answers, consumeErrors=True)
    except FirstError as error:
        raise cast(Exception, error.subFailure.value) from error


def stop_timer(timer: Any) -> None:
    """Cancel a delayed call that may have been made or cancelled already."""
    with suppress(AlreadyCalled, AlreadyCancelled):
        timer.cancel()
