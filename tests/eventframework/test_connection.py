"""A link that does not reach RabbitMQ."""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.connection import Link


class LinkTest(SynchronousTestCase):
    def test_it_tries_on_however_long_the_broker_has_been_away(self) -> None:
        clock = Clock()
        ignore = cast(Any, lambda *_: None)
        link = Link(["amqp://127.0.0.1:1"], cast(Any, clock), "test", ignore, ignore, ignore)
        for failures in (0, 1, 100, 100_000):
            pause = Deferred.fromCoroutine(link._pause(failures))
            self.assertNoResult(pause)
            clock.advance(15)
            assert self.successResultOf(pause) is None
