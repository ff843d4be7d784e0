from collections.abc import Callable
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from services import paced
from services.paced import PacedThread


class PacedThreadTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ran: list[tuple[str, float]] = []
        patch = mock.patch.object(paced, "deferToThreadPool", self.at_once)
        patch.start()
        self.addCleanup(patch.stop)

    def at_once(self, _reactor: Any, _pool: Any, thd_function: Callable[..., Any], *arguments: Any) -> Any:
        return succeed(thd_function(*arguments))

    def thd_work(self, name: str, seconds: float) -> str:
        self.ran.append((name, self.clock.seconds()))
        self.clock.rightNow += seconds
        return name

    def run_in(self, thread: PacedThread, name: str, seconds: float = 2) -> Deferred[str]:
        return Deferred.fromCoroutine(thread.run(self.thd_work, name, seconds))

    def test_a_piece_of_work_is_followed_by_as_long_a_rest_as_the_share_wants(self) -> None:
        thread = PacedThread(self.clock, "paced", 0.25)
        first, second = self.run_in(thread, "first"), self.run_in(thread, "second")
        assert self.successResultOf(first) == "first"
        self.clock.advance(5.9)
        self.assertNoResult(second)
        self.clock.advance(0.1)
        assert self.successResultOf(second) == "second"
        assert self.ran == [("first", 0), ("second", 8)]
        thread.stop()
        assert self.clock.getDelayedCalls() == []

    def test_what_fails_is_raised_and_the_next_one_has_its_turn(self) -> None:
        thread = PacedThread(self.clock, "paced", 1)
        failing = Deferred.fromCoroutine(thread.run(int, "no number"))
        self.failureResultOf(failing, ValueError)
        self.clock.advance(0)
        assert self.successResultOf(self.run_in(thread, "next")) == "next"
        thread.stop()
