"""Work that nobody waits for any more ends early: awaited calls at once, in threads between two rows."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults

from timeseries.store import InThread

P = ParamSpec("P")
T = TypeVar("T")


class Stop:
    """Told from the reactor's thread, asked in another."""

    def __init__(self) -> None:
        self.told = False

    def thd_check(self) -> None:
        """Raise CancelledError once it was told."""
        if self.told:
            raise CancelledError


async def in_stoppable_thread(
    in_thread: InThread, thd_function: Callable[Concatenate[Stop, P], T], *arguments: P.args, **_: P.kwargs
) -> T:
    """The function's result, whose Stop is told when the caller's Deferred is cancelled."""
    stop = Stop()
    try:
        return await in_thread(_thd_unless_told, stop, thd_function, *arguments)
    finally:
        stop.told = True


def _thd_unless_told(stop: Stop, thd_function: Callable[..., T], *arguments: Any) -> T:
    stop.thd_check()
    return thd_function(stop, *arguments)


async def together(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Their results, in their order; the first failure is raised as itself, and cancels the others."""
    running = [Deferred.fromCoroutine(each) for each in coroutines]
    try:
        return await gatherResults(running, consumeErrors=True)
    except FirstError as error:
        for each in running:
            each.cancel()
        error.subFailure.raiseException()
        raise
