"""Publishing from threads, for synchronous code.

Django's changes are told by `webapp.outbox.publish`, which needs no broker; this is for what is no change.
"""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.python.threadable import isInIOThread

from eventframework.clock import Reactor
from eventframework.errors import BrokerUnavailable
from eventframework.event import Event
from eventframework.framework import Framework


def publisher(framework: Framework, reactor: Reactor, within_s: float = 15.0) -> Callable[[Event], None]:
    """A blocking `publish(event)` for any number of threads, but the reactor's.

    The thread's correlation id goes with the event. Raises what Framework.publish raises, BrokerUnavailable
    also when there was no answer `within_s`.
    """

    def publish(event: Event) -> None:
        if isInIOThread():
            raise RuntimeError("this is the reactor's thread, which must not block: await Framework.publish")
        outcome: Future[None] = Future()
        reactor.callFromThread(copy_context().run, _publish, framework, event, outcome)
        try:
            outcome.result(within_s)
        except TimeoutError:
            raise BrokerUnavailable(f"{event.topic}: no answer within {within_s} s") from None

    return publish


def _publish(framework: Framework, event: Event, outcome: Future[None]) -> None:
    def failed(failure: Failure) -> None:
        outcome.set_exception(failure.value)

    Deferred.fromCoroutine(framework.publish(event)).addCallbacks(outcome.set_result, failed)
