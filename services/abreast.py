"""Work side by side: whatever fails, all that has begun is let end before that is told."""

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore

T = TypeVar("T")
U = TypeVar("U")


async def all_ended(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Their results, in their order; where any failed, the first failure is raised once all have ended."""
    running = list(map(Deferred.fromCoroutine, coroutines))
    outcomes: Any = await DeferredList(running, consumeErrors=True)
    for failure in (outcome for done, outcome in outcomes if not done):
        failure.raiseException()
    return [outcome for _, outcome in outcomes]


async def each(work: Iterable[T], do: Callable[[T], Awaitable[U]], places: DeferredSemaphore) -> list[U]:
    """What `do` returns for all of the work, in any order; none begins after a failure.

    Each takes one of the places meanwhile, which other work may share.
    """
    waiting = deque(work)
    done: list[U] = []

    async def take_turns() -> None:
        while waiting:
            await places.acquire()
            try:
                if waiting:
                    done.append(await do(waiting.popleft()))
            except BaseException:
                waiting.clear()
                raise
            finally:
                places.release()

    await all_ended(take_turns() for _ in range(min(places.limit, len(waiting))))
    return done
