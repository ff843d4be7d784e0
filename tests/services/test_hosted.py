"""One service over a memory broker and a clock, with the failures that it is told to have."""

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from eventframework.catalogue import NodeUpdated
from eventframework.framework import Framework
from eventframework.memory import MemoryBroker
from eventframework.policy import Policy, Share
from eventframework.stream import Batch
from eventframework.topology import Subscription, Tap, Topology
from services.base import Service
from services.hosted import BACKOFF_S, Hosted
from statslib import Stats
from timeseries.errors import SchemaMismatch

TOPOLOGY = Topology(
    subscriptions=(Subscription(NodeUpdated, Policy.SCOPED_ROUND_ROBIN, "frail"),),
    taps=(Tap("results", "archive", Share.SCOPED),),
)


class Part(Service):
    """Writes down what happens to it."""

    def __init__(self, name: str, steps: list[str]) -> None:
        self.called, self.steps = name, steps

    async def setup(self) -> None:
        self.steps.append(f"{self.called} setup")

    async def start(self) -> None:
        self.steps.append(f"{self.called} start")

    async def stop(self) -> None:
        self.steps.append(f"{self.called} stop")


class Frail(Service):
    """Takes an event and a stream, and fails where `house.failing` says so."""

    name = "frail"

    def __init__(self, *, house: "House", bus: Framework) -> None:
        self.house, self.bus = house, bus
        self.parts = (Part("one", house.steps), Part("two", house.steps))

    async def setup(self) -> None:
        self.bus.subscribe(NodeUpdated, self.updated, Policy.SCOPED_ROUND_ROBIN, tag="frail")
        self.bus.stream("results").consume("archive", self.batch, Share.SCOPED)
        await self.step("setup")

    async def start(self) -> None:
        await self.step("start")

    async def stop(self) -> None:
        await self.step("stop")

    async def step(self, name: str) -> None:
        self.house.steps.append(name)
        if name in self.house.failing:
            raise self.house.failing[name]

    async def updated(self, event: NodeUpdated) -> None:
        self.house.seen.append((self, event.node_id))

    async def batch(self, batch: Batch) -> None:
        self.house.seen.append((self, batch.body.decode()))


class House:
    """What a runner is to a hosted service."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.broker = MemoryBroker(None, clock, topology=TOPOLOGY, partitions=1)
        self.steps: list[str] = []
        self.seen: list[tuple[Service, str]] = []
        self.failing: dict[str, Exception] = {}
        self.admitted: list[Service] = []

    def new_bus(self) -> Framework:
        return Framework(self.broker, self.clock)

    async def build(self, cls: type[Service], bus: Framework) -> Service:
        return cls(house=self, bus=bus)  # type: ignore[call-arg]

    def admit(self, service: Service) -> None:
        self.admitted.append(service)

    def dismiss(self, service: Service) -> None:
        self.admitted = [one for one in self.admitted if one is not service]


class HostedTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.house, self.stats = House(self.clock), Stats("frail")
        self.bus = self.house.new_bus()
        self.hosted = Hosted(Frail, self.house, self.clock, self.stats)

    def result(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def bring_up(self, **failing: Exception) -> None:
        self.house.failing = failing
        self.result(self.hosted.set_up())
        self.result(self.bus.start())
        self.result(self.hosted.start())
        self.hosted.keep_trying()

    def publish(self, node_id: str = "n1") -> None:
        self.result(self.bus.publish(NodeUpdated(account_id="a1", node_id=node_id, changes={})))

    def take_down(self) -> None:
        for step in (self.hosted.drain, self.hosted.finish, self.hosted.take_down):
            self.result(step())

    def test_parts_start_after_their_service_and_stop_before_it(self) -> None:
        self.bring_up()
        assert (self.hosted.up, self.stats.unready) == (True, "")
        self.successResultOf(self.hosted.came)
        self.take_down()
        assert self.house.steps == [
            *("setup", "one setup", "two setup"),
            *("start", "one start", "two start"),
            *("two stop", "one stop", "stop"),
        ]

    def test_a_failed_setup_is_told_counted_and_tried_again_until_it_succeeds(self) -> None:
        self.bring_up(setup=OSError("no luck"))
        assert (self.hosted.up, self.stats.unready) == (False, "OSError: no luck")
        assert self.house.steps == ["setup", "two stop", "one stop", "stop"]
        self.clock.advance(0.9)
        assert self.house.steps.count("setup") == 1
        self.clock.advance(0.6)
        assert self.house.steps.count("setup") == 2
        self.house.failing = {}
        self.clock.advance(BACKOFF_S[1] * 1.5)
        assert (self.hosted.up, self.stats.unready) == (True, "")
        assert self.stats.counters["starts_failed"] == 2
        assert self.house.admitted == [self.hosted.service]
        self.clock.advance(600)
        assert self.house.steps.count("setup") == 3
        assert len(self.flushLoggedErrors(OSError)) == 2

    def test_a_store_that_says_what_is_to_be_done_is_told_in_a_line_without_a_traceback(self) -> None:
        with capturedLogs() as told:
            self.bring_up(setup=SchemaMismatch("run `picket store migrate`"))
        (event,) = [each for each in told if each["log_level"] is LogLevel.error]
        assert formatEvent(event) == "frail could not start: run `picket store migrate`"
        assert "log_failure" not in event
        assert self.stats.unready == "SchemaMismatch: run `picket store migrate`"

    def test_waits_grow_to_a_minute_and_no_further(self) -> None:
        self.bring_up(start=OSError("no luck"))
        waits = []
        for _ in range(12):
            (timer,) = self.clock.getDelayedCalls()
            waits.append(timer.getTime() - self.clock.seconds())
            self.clock.advance(waits[-1])
        assert 1 <= waits[0] <= 1.5
        assert all(40 <= wait <= 60 for wait in waits[6:])
        self.take_down()
        assert self.clock.getDelayedCalls() == []
        self.flushLoggedErrors(OSError)

    def test_what_a_failed_try_subscribed_is_undone_and_nothing_is_lost(self) -> None:
        self.bring_up(start=OSError("no luck"))
        self.publish("n1")
        batch = Deferred.fromCoroutine(self.bus.stream("results").publish(0, b"batch"))
        assert self.house.seen == []
        self.house.failing = {}
        self.clock.advance(1.5)
        self.successResultOf(batch)
        self.publish("n2")
        service = self.hosted.service
        assert sorted(self.house.seen, key=lambda seen: seen[1]) == [
            (service, "batch"),
            (service, "n1"),
            (service, "n2"),
        ]
        self.flushLoggedErrors(OSError)

    def test_an_address_that_is_taken_is_raised_by_the_first_try_only(self) -> None:
        taken = CannotListenError("127.0.0.1", 80, OSError("in use"))
        self.house.failing = {"setup": taken}
        self.failureResultOf(Deferred.fromCoroutine(self.hosted.set_up()), CannotListenError)
        self.bring_up(setup=OSError("no luck"))
        self.house.failing = {"setup": taken}
        self.clock.advance(1.5)
        assert self.stats.unready.startswith("CannotListenError")
        self.flushLoggedErrors(OSError, CannotListenError)

    def test_a_failure_to_stop_is_logged_and_no_more(self) -> None:
        self.bring_up(stop=OSError("no luck"))
        self.take_down()
        assert len(self.flushLoggedErrors(OSError)) == 1

    def test_a_try_under_way_ends_with_the_process(self) -> None:
        waiting: Deferred[None] = Deferred()
        self.bring_up(setup=OSError("no luck"))
        self.house.failing = {}
        self.house.build = lambda *_: waiting  # type: ignore[assignment, method-assign]
        self.clock.advance(1.5)
        self.take_down()
        assert waiting.called
        assert (self.hosted.up, self.clock.getDelayedCalls()) == (False, [])
        assert len(self.flushLoggedErrors()) == 1
