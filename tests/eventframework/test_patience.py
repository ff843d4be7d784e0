"""Many wait by one timer, and each for as long as it may."""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.errors import BrokerUnavailable
from eventframework.patience import Patience

LIMIT_S = 10.0


class TestPatience(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(cast(Any, self.clock), LIMIT_S)

    def wait(self) -> tuple[Deferred[str], Deferred[str]]:
        """An answer, and who waits for it."""
        answer: Deferred[str] = Deferred()
        return answer, Deferred.fromCoroutine(self.patience.wait(answer, "it"))

    def test_each_is_given_up_at_its_own_time(self) -> None:
        _, first = self.wait()
        self.clock.advance(4)
        _, second = self.wait()
        assert len(self.clock.getDelayedCalls()) == 1
        self.clock.advance(6)
        self.failureResultOf(first, BrokerUnavailable)
        self.assertNoResult(second)
        self.clock.advance(4)
        self.failureResultOf(second, BrokerUnavailable)

    def test_an_answer_in_time_leaves_the_others_their_time(self) -> None:
        answer, first = self.wait()
        self.clock.advance(4)
        _, second = self.wait()
        answer.callback("yes")
        assert self.successResultOf(first) == "yes"
        self.clock.advance(9)
        self.assertNoResult(second)
        self.clock.advance(1)
        self.failureResultOf(second, BrokerUnavailable)

    def test_when_nobody_waits_no_timer_is_left(self) -> None:
        answer, waiting = self.wait()
        answer.callback("yes")
        self.successResultOf(waiting)
        assert self.clock.getDelayedCalls() == []
        assert len(self.patience) == 0

    def test_while_it_is_paused_no_time_counts_and_afterwards_all_of_it_does(self) -> None:
        _, waiting = self.wait()
        self.clock.advance(9)
        self.patience.pause(True)
        self.clock.advance(1000)
        self.patience.pause(False)
        self.clock.advance(9)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.failureResultOf(waiting, BrokerUnavailable)
