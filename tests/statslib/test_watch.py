"""Decorated calls of each kind: a plain function, a coroutine function, one that returns a Deferred."""

from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from statslib import Stats


def plain(answer: object) -> object:
    """Says what it does."""
    if isinstance(answer, Exception):
        raise answer
    return answer


async def coroutine(answer: object) -> object:
    return plain(answer)


def deferred(answer: object) -> Deferred[object]:
    return fail(answer) if isinstance(answer, Exception) else succeed(answer)


KINDS: list[Callable[[object], Any]] = [plain, coroutine, deferred]


class WatchTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.stats = Stats("archive", self.clock.seconds)

    def answer(self, called: Any) -> object:
        if not isinstance(called, Deferred):
            called = Deferred.fromCoroutine(called) if hasattr(called, "send") else succeed(called)
        return self.successResultOf(called)

    def test_calls_of_each_kind_are_counted_and_answer_as_before(self) -> None:
        for kind in KINDS:
            counted = self.stats.count_calls()(kind)
            assert self.answer(counted(5)) == 5
            assert self.stats.operation(kind.__name__).total == 1
            assert self.stats.operation(kind.__name__).pending == 0

    def test_failures_of_each_kind_are_counted_and_raised(self) -> None:
        with pytest.raises(ValueError, match="bad"):
            self.stats.count_calls()(plain)(ValueError("bad"))
        called = self.stats.count_calls()(coroutine)(ValueError("bad"))
        self.failureResultOf(Deferred.fromCoroutine(called), ValueError)
        self.failureResultOf(self.stats.count_calls()(deferred)(ValueError("bad")), ValueError)
        assert [self.stats.operation(kind.__name__).failed for kind in KINDS] == [1, 1, 1]
        assert [self.stats.operation(kind.__name__).pending for kind in KINDS] == [0, 0, 0]

    def test_a_call_is_pending_and_timed_until_its_result_is_there(self) -> None:
        async def slow_coroutine() -> str:
            return await deferLater(self.clock, 2.0, lambda: "there")

        def slow_deferred() -> Deferred[str]:
            return deferLater(self.clock, 2.0, lambda: "there")

        calls = [
            Deferred.fromCoroutine(self.stats.time_calls()(slow_coroutine)()),
            self.stats.time_calls()(slow_deferred)(),
        ]
        names = ("slow_coroutine", "slow_deferred")
        assert [self.stats.operation(name).pending for name in names] == [1, 1]
        self.clock.advance(2.0)
        assert [self.successResultOf(call) for call in calls] == ["there", "there"]
        assert [self.stats.operation(name).pending for name in names] == [0, 0]
        assert [self.stats.averages[f"{name}_s"].last for name in names] == [2.0, 2.0]

    def test_a_failed_call_is_timed_too(self) -> None:
        def spend() -> None:
            self.clock.advance(3.0)
            raise ValueError("bad")

        with pytest.raises(ValueError, match="bad"):
            self.stats.time_calls("work")(spend)()
        assert self.stats.averages["work_s"].last == 3.0
        assert self.stats.operation("work").failed == 1

    def test_a_cancelled_call_has_failed(self) -> None:
        waiting: Deferred[None] = Deferred()
        called = self.stats.count_calls("wait")(lambda: waiting)()
        called.addErrback(lambda _: None)
        called.cancel()
        assert (self.stats.operation("wait").failed, self.stats.operation("wait").pending) == (1, 0)

    def test_a_decorated_function_keeps_its_name_and_docstring(self) -> None:
        counted = self.stats.count_calls("work")(plain)
        assert (counted.__name__, counted.__doc__) == ("plain", "Says what it does.")
