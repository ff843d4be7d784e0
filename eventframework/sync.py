"""Publishing from threads, for synchronous code such as Django's."""

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from eventframework.clock import Reactor
from eventframework.event import Event
from eventframework.framework import Framework


def publisher(framework: Framework, reactor: Reactor) -> Callable[[Event], None]:
    """A blocking `publish(event)` for threads not the reactor's; raises what Framework.publish raises."""

    def publish(event: Event) -> None:
        call: Any = lambda: Deferred.fromCoroutine(framework.publish(event))  # noqa: E731
        blockingCallFromThread(cast(Any, reactor), call)

    return publish
