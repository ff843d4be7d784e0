from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from services.periodic import Periodic


class PeriodicTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.times = Clock(), 0
        self.waiting: Deferred[None] | None = None
        self.error: Exception | None = None
        self.part = Periodic(self.clock, 10, self.work)
        self.successResultOf(Deferred.fromCoroutine(self.part.start()))

    async def work(self) -> None:
        self.times += 1
        if self.error:
            raise self.error
        if self.waiting:
            await self.waiting

    def drain(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.part.drain()))

    def test_work_comes_again_and_again_until_it_is_drained(self) -> None:
        assert self.times == 0
        self.clock.pump([10, 10, 10])
        assert self.times == 3
        self.drain()
        assert self.clock.getDelayedCalls() == []

    def test_a_failure_is_logged_and_the_work_comes_again(self) -> None:
        self.error = ValueError("bad")
        self.clock.pump([10, 10])
        assert (self.times, len(self.flushLoggedErrors(ValueError))) == (2, 2)

    def test_what_is_not_done_is_waited_for(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.waiting = waiting
        self.clock.pump([10, 10, 10])
        assert self.times == 1
        self.waiting = None
        waiting.callback(None)
        self.clock.advance(10)
        assert self.times == 2

    def test_draining_cancels_what_is_under_way(self) -> None:
        self.waiting = Deferred()
        self.clock.advance(10)
        self.drain()
        assert self.waiting.called
        assert self.clock.getDelayedCalls() == []
