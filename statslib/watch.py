"""Watching the calls of plain functions, coroutine functions, and functions that return Deferreds."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, ParamSpec, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from statslib.measures import Average, Operation

P = ParamSpec("P")
R = TypeVar("R")
Watch = Callable[[], AbstractContextManager[object]]
"""Makes the context of one call, which lasts until what the call returned is there or has failed."""


def watched(function: Callable[P, R], watch: Watch) -> Callable[P, R]:
    """The function, each of its calls within a context that `watch` makes."""
    if iscoroutinefunction(function):

        @wraps(function)
        async def await_watched(*args: P.args, **kwargs: P.kwargs) -> Any:
            with watch():
                return await function(*args, **kwargs)

        return cast(Callable[P, R], await_watched)

    @wraps(function)
    def call_watched(*args: P.args, **kwargs: P.kwargs) -> R:
        context = watch()
        context.__enter__()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            context.__exit__(type(error), error, error.__traceback__)
            raise
        if isinstance(result, Deferred):
            return cast(R, result.addBoth(_leave, context))
        context.__exit__(None, None, None)
        return result

    return call_watched


@contextmanager
def timed(operation: Operation, seconds: Average, clock: Callable[[], float]) -> Iterator[None]:
    """Count it, and add how long it took, whether or not it failed."""
    begun = clock()
    try:
        with operation:
            yield
    finally:
        seconds.add(clock() - begun)


def _leave(result: Any, context: AbstractContextManager[object]) -> Any:
    error = result.value if isinstance(result, Failure) else None
    context.__exit__(type(error) if error else None, error, None)
    return result
