"""Threads for the Django work of services, apart from those of WSGI and of stores."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

P = ParamSpec("P")
T = TypeVar("T")


class DjangoThreads:
    """A pool of `size` threads whose functions (`thd_…`) use the relational database."""

    def __init__(self, reactor: Any, size: int = 4) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, size, name="django")
        self._under_way: set[Deferred[Any]] = set()

    def start(self) -> None:
        """Make the threads ready."""
        self._pool.start()

    async def run(self, thd_function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns or raises, run in a thread with the caller's context variables."""
        found: Deferred[T] = deferToThreadPool(
            self._reactor, self._pool, copy_context().run, _thd_run, thd_function, args, kwargs
        )
        self._under_way.add(found)
        try:
            return await found
        finally:
            self._under_way.discard(found)

    async def stop(self) -> None:
        """Let what is under way finish, then end the threads."""
        await DeferredList([_ended(found) for found in self._under_way])
        self._pool.stop()


def _thd_run(thd_function: Callable[..., T], args: Any, kwargs: Any) -> T:
    from django.db import close_old_connections

    close_old_connections()
    try:
        return thd_function(*args, **kwargs)
    finally:
        close_old_connections()


def _ended(found: Deferred[Any]) -> Deferred[None]:
    """Fires when `found` has, and leaves its result alone."""
    ended: Deferred[None] = Deferred()

    def pass_on(result: Any) -> Any:
        ended.callback(None)
        return result

    found.addBoth(pass_on)
    return ended
