"""Work side by side: how many at once, and what comes of a failure."""

from typing import Any

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.trial.unittest import SynchronousTestCase

from services.abreast import all_ended, each


class AbreastTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.begun: list[int] = []
        self.answers: dict[int, Deferred[int]] = {}
        self.places = DeferredSemaphore(2)

    async def one(self, number: int) -> int:
        self.begun.append(number)
        self.answers[number] = Deferred()
        return await self.answers[number] * 10

    def begin(self, coroutine: Any) -> Deferred[list[int]]:
        return Deferred.fromCoroutine(coroutine)

    def test_so_many_are_under_way_and_the_next_begins_when_one_has_ended(self) -> None:
        done = self.begin(each(range(4), self.one, self.places))
        assert self.begun == [0, 1]
        self.answers[1].callback(1)
        assert self.begun == [0, 1, 2]
        for number in (2, 0, 3):
            self.assertNoResult(done)
            self.answers[number].callback(number)
        assert self.successResultOf(done) == [10, 20, 0, 30]

    def test_after_a_failure_none_begins_and_it_is_raised_when_the_others_have_ended(self) -> None:
        done = self.begin(each(range(4), self.one, self.places))
        self.answers[0].errback(ValueError("one"))
        self.assertNoResult(done)
        self.answers[1].callback(1)
        self.failureResultOf(done, ValueError)
        assert self.begun == [0, 1]

    def test_what_waits_for_a_place_that_other_work_has_does_not_begin_after_a_failure(self) -> None:
        other = self.begin(each([7], self.one, self.places))
        done = self.begin(each(range(4), self.one, self.places))
        assert self.begun == [7, 0]
        self.answers[0].errback(ValueError("one"))
        self.failureResultOf(done, ValueError)
        self.answers[7].callback(7)
        assert self.successResultOf(other) == [70]
        assert self.begun == [7, 0]

    def test_without_work_there_is_nothing(self) -> None:
        assert self.successResultOf(self.begin(each([], self.one, self.places))) == []

    def test_results_are_in_the_order_of_their_coroutines(self) -> None:
        done = self.begin(all_ended([self.one(1), self.one(2)]))
        self.answers[2].callback(2)
        self.answers[1].callback(1)
        assert self.successResultOf(done) == [10, 20]

    def test_the_first_failure_is_raised_and_no_other_is_left_unhandled(self) -> None:
        done = self.begin(all_ended([self.one(1), self.one(2)]))
        self.answers[2].errback(KeyError("two"))
        self.answers[1].errback(ValueError("one"))
        self.failureResultOf(done, ValueError)
