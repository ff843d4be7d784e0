"""What a command has to do on the reactor, once."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from picket import reactor
from picket.errors import PicketError

T = TypeVar("T")


def run_once(work: Callable[[reactor.Reactor], Awaitable[T]]) -> T:
    """The result of `work(reactor)`, or what it raised; PicketError where Ctrl-C came before.

    A process can do so once, for a reactor that has stopped does not run again.
    """
    reactor.install()
    from twisted.internet import reactor as installed

    running: reactor.Reactor = installed
    outcome: list[Any] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(_awaited(work(running)))
        done.addBoth(outcome.append).addBoth(lambda _: running.stop())

    running.callWhenRunning(begin)
    running.run()
    result = outcome[0] if outcome else Failure(PicketError("interrupted"))
    if isinstance(result, Failure):
        result.raiseException()
    return result  # type: ignore[no-any-return]


async def _awaited(result: Awaitable[T]) -> T:
    return await result
