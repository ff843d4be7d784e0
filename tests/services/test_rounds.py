"""services.rounds."""

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from services.rounds import Rounds

REST_S = 1.0


class TestRounds(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.calls = 0
        self.work: list[Deferred[bool]] = []
        self.rounds = Rounds(self.clock, self.once, REST_S, Logger())
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))
        self.addCleanup(self.stop)

    async def once(self) -> bool:
        self.calls += 1
        return await (self.work.pop(0) if self.work else succeed(False))

    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.rounds.stop(2.0))

    def test_it_is_called_now_and_then(self) -> None:
        self.rounds.start()
        for _ in range(3):
            self.clock.advance(REST_S)
        assert self.calls == 4

    def test_while_there_is_work_it_is_called_at_once(self) -> None:
        self.work = [succeed(True), succeed(True)]
        self.rounds.start()
        assert self.calls == 3

    def test_a_wake_ends_the_rest(self) -> None:
        self.rounds.start()
        self.rounds.wake()
        assert self.calls == 2

    def test_a_wake_during_a_round_is_not_forgotten(self) -> None:
        under_way: Deferred[bool] = Deferred()
        self.work = [under_way]
        self.rounds.start()
        self.rounds.wake()
        under_way.callback(False)
        assert self.calls == 2

    def test_failures_make_it_wait_longer_and_no_wake_ends_that(self) -> None:
        self.work = [failed() for _ in range(8)]
        self.rounds.start()
        waits = []
        while self.work:
            before, began = self.calls, self.clock.seconds()
            while self.calls == before:
                self.rounds.wake()
                self.clock.advance(0.05)
            waits.append(self.clock.seconds() - began)
        assert 0.25 <= waits[0] <= 0.6
        assert 7 <= waits[-1] <= 15.1

    def test_a_retry_ends_the_wait_after_a_failure(self) -> None:
        self.work = [failed()]
        self.rounds.start()
        self.rounds.retry()
        assert self.calls == 2

    def test_a_stop_waits_for_the_round_under_way_and_begins_no_other(self) -> None:
        under_way: Deferred[bool] = Deferred()
        self.work = [under_way]
        self.rounds.start()
        stopped = self.stop()
        self.assertNoResult(stopped)
        under_way.callback(True)
        self.successResultOf(stopped)
        assert self.calls == 1

    def test_a_round_that_does_not_end_is_cut_off(self) -> None:
        self.work = [Deferred()]
        self.rounds.start()
        stopped = self.stop()
        self.clock.advance(2.0)
        self.successResultOf(stopped)


def failed() -> Deferred[bool]:
    outcome: Deferred[bool] = Deferred()
    outcome.errback(OSError("no luck"))
    return outcome
