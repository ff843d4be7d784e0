"""One queue of a stream, over a broker that loses its connection and lines consumers up as the test wants."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.broker import Delivery
from eventframework.lane import Lane, Taker
from eventframework.topology import Tap


class FakeBroker:
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.take: Callable[[Any], None]
        self.lost: Callable[[], None]
        self.log: list[str] = []

    def consume(self, _queue: Any, _prefetch: int, take: Any, lost: Any) -> Any:
        self.log.append("lines up")
        self.take, self.lost = take, lost
        return self

    async def cancel(self) -> None:
        self.log.append("cancels")


class TestLane(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.broker = Clock(), FakeBroker()
        self.under_way: dict[str, Deferred[None]] = {}
        taker = Taker(self.handle, 32, 1, self.released, lambda *_: None)
        queue = Tap("results", "state").queues(16)[3]
        self.lane = Lane(cast(Any, self.broker), self.clock, queue, taker)

    async def handle(self, delivery: Delivery) -> None:
        name = delivery.body.decode()
        self.broker.log.append(f"begins {name}")
        self.under_way[name] = Deferred()
        await self.under_way[name]

    def released(self, partition: int) -> None:
        self.broker.log.append(f"is told {partition}")

    def bring(self, *names: str) -> None:
        for name in names:
            done = lambda name=name: self.broker.log.append(f"acknowledges {name}")  # noqa: E731
            self.broker.take(SimpleNamespace(key="p03", body=name.encode(), stamp=None, done=done))

    def finish(self, name: str) -> None:
        self.under_way[name].callback(None)

    def log(self) -> list[str]:
        log, self.broker.log = self.broker.log, []
        return log

    def test_a_share_is_given_up_when_what_is_under_way_is_acknowledged_and_told(self) -> None:
        self.bring("a", "b")
        stepping = Deferred.fromCoroutine(self.lane.step_back())
        self.bring("c")
        assert self.log() == ["lines up", "begins a"]
        self.finish("a")
        assert self.log() == ["acknowledges a", "is told 3", "cancels", "lines up"]
        self.successResultOf(stepping)
        assert not self.lane.owned
        self.bring("d")
        assert self.log() == ["begins d"]

    def test_after_a_lost_connection_the_next_one_waits_for_what_is_under_way(self) -> None:
        self.bring("a", "b")
        self.broker.lost()
        self.bring("a", "b")
        assert self.log() == ["lines up", "begins a"]
        self.finish("a")
        assert self.log() == ["acknowledges a", "is told 3", "begins a"]

    def test_a_connection_that_is_lost_while_a_share_is_given_up_makes_no_second_owner(self) -> None:
        self.bring("a")
        stepping = Deferred.fromCoroutine(self.lane.step_back())
        self.broker.lost()
        self.bring("b")
        self.finish("a")
        assert self.log() == [
            "lines up",
            "begins a",
            "acknowledges a",
            "is told 3",
            "is told 3",
            "cancels",
            "lines up",
        ]
        self.successResultOf(stepping)

    def test_a_batch_that_waits_to_be_tried_again_is_left_to_others(self) -> None:
        self.bring("a")
        self.under_way["a"].errback(ValueError("the store is away"))
        self.successResultOf(Deferred.fromCoroutine(self.lane.step_back()))
        assert self.log() == ["lines up", "begins a", "is told 3", "cancels", "lines up"]
        assert not self.clock.getDelayedCalls()

    def test_it_is_left_without_a_handler_that_does_not_end(self) -> None:
        self.bring("a")
        leaving = Deferred.fromCoroutine(self.lane.leave(5))
        self.clock.advance(4)
        self.assertNoResult(leaving)
        self.clock.advance(1)
        self.successResultOf(leaving)
        assert self.log() == ["lines up", "begins a", "cancels"]

    def test_who_is_leaving_does_not_line_up_again(self) -> None:
        self.bring("a")
        Deferred.fromCoroutine(self.lane.step_back())
        leaving = Deferred.fromCoroutine(self.lane.leave(5))
        self.finish("a")
        self.successResultOf(leaving)
        assert self.log().count("lines up") == 1
