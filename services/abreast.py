"""Work side by side: whatever fails, all that has begun is let end before that is told."""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList

T = TypeVar("T")
U = TypeVar("U")


async def all_ended(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Their results, in their order; where any failed, the first failure is raised once all have ended."""
    running = list(map(Deferred.fromCoroutine, coroutines))
    outcomes: Any = await DeferredList(running, consumeErrors=True)
    for failure in (outcome for done, outcome in outcomes if not done):
        failure.raiseException()
    return [outcome for _, outcome in outcomes]


async def each(work: Iterable[T], do: Callable[[T], Awaitable[U]], at_once: int) -> list[U]:
    """What `do` returns for all of the work, in any order, so many at a time; none begins after a failure."""
    waiting = deque(work)
    done: list[U] = []

    async def take_turns() -> None:
        while waiting:
            try:
                done.append(await do(waiting.popleft()))
            except BaseException:
                waiting.clear()
                raise

    await all_ended(take_turns() for _ in range(min(at_once, len(waiting))))
    return done
