from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from timeseries.errors import StoreUnavailable
from timeseries.hold import GATHER_S, Hold


class TestHold(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.asked = Clock(), 0
        self.answer: Any = ("host", 1)
        self.hold = Hold(cast(Any, self.clock), 1.0, self.generation)
        self.successResultOf(Deferred.fromCoroutine(self.hold.look()))
        self.asked = 0

    async def generation(self) -> tuple[str, int]:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return cast(tuple[str, int], self.answer)

    def settle(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self.hold.settle())

    def test_a_write_is_held_for_its_time_and_until_the_node_answered(self) -> None:
        held = self.settle()
        self.clock.pump([GATHER_S, 0.99])
        self.assertNoResult(held)
        self.clock.advance(0.02)
        self.successResultOf(held)
        assert (self.asked, self.hold.restarts) == (1, 0)

    def test_writes_that_end_together_cost_one_question(self) -> None:
        writes = [self.settle() for _ in range(5)]
        self.clock.pump([GATHER_S, 1.01])
        for held in writes:
            self.successResultOf(held)
        assert self.asked == 1

    def test_a_write_that_ends_later_is_held_for_its_own_time(self) -> None:
        first = self.settle()
        self.clock.pump([0.05] * 10)
        later = self.settle()
        self.clock.pump([0.05] * 18)
        self.successResultOf(first)
        self.assertNoResult(later)
        self.clock.pump([0.05] * 5)
        self.successResultOf(later)

    def test_a_new_generation_of_a_node_is_a_restart_and_another_node_is_not(self) -> None:
        for answer, restarts in ((("other", 7), 0), (("host", 1), 0), (("host", 2), 1), (("host", 2), 1)):
            self.answer = answer
            held = self.settle()
            self.clock.pump([GATHER_S, 1.01])
            self.successResultOf(held)
            assert self.hold.restarts == restarts

    def test_a_node_that_does_not_answer_fails_the_writes_that_wait_for_it(self) -> None:
        held = self.settle()
        self.answer = StoreUnavailable("away")
        self.clock.pump([GATHER_S, 1.01])
        self.failureResultOf(held, StoreUnavailable)
