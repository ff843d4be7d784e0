"""How often an event comes, in which order, and what is refused: the promises of every broker."""

import tempfile
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from eventframework import Batch, Event, Framework, Policy, PublishRefused, RetryLater, Share, current
from eventframework.broker import Broker
from eventframework.memory import MemoryBroker
from picket import correlation
from tests.contract.brokers import (
    BrokerContract,
    Inbox,
    OnMemory,
    OnRabbitMQ,
    until,
    while_nothing_more_comes,
)


class Rang(Event, frozen=True):
    """Nobody ever subscribes to this."""

    topic = "rang"


class Busy:
    """A handler that does not return before it may go on."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self._waiting: list[Deferred[None]] = []
        self._free = False

    async def rung(self, event: Any) -> None:
        self.begun.append(event.door)
        if not self._free:
            self._waiting.append(Deferred())
            await self._waiting[-1]

    def go_on(self) -> None:
        self._free = True
        for waiting in self._waiting:
            waiting.callback(None)


class EventContract(BrokerContract):
    """Retries, refusals, and what a handler knows; `test_policies` is about who gets what."""

    async def test_an_event_that_no_queue_takes_is_refused(self) -> None:
        framework = self.framework()
        await framework.start()
        with pytest.raises(PublishRefused):
            await framework.publish(Rang())

    async def test_a_refused_event_makes_no_other_publish_fail_or_seem_to_succeed(self) -> None:
        framework = self.framework()
        framework.subscribe(self.rung, Inbox().rung, Policy.ROUND_ROBIN)
        await framework.start()
        events = [self.rung(door=1), Rang()] * 20
        refused = await gatherResults(
            [Deferred.fromCoroutine(self.refused(framework, one)) for one in events]
        )
        assert refused == [False, True] * 20

    async def refused(self, framework: Framework, event: Event) -> bool:
        try:
            await framework.publish(event)
        except PublishRefused:
            return True
        return False

    async def test_a_handler_that_fails_or_asks_for_later_is_called_again_until_it_succeeds(self) -> None:
        calls: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if len(calls) == 1:
                raise ValueError("not yet")
            if len(calls) < 8:
                raise RetryLater(0.05)

        framework = self.framework()
        framework.subscribe(self.rung, handler, Policy.SCOPED_ROUND_ROBIN, tag="retried")
        await framework.start()
        await framework.publish(self.rung(door=7))
        await until(lambda: len(calls) == 8)
        await while_nothing_more_comes()
        assert calls == [7] * 8

    async def test_a_fanout_handler_that_fails_is_called_again_too(self) -> None:
        calls: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if len(calls) < 3:
                raise ValueError("not yet")

        framework = self.framework()
        framework.subscribe(self.rung, handler, Policy.FANOUT)
        await framework.start()
        await framework.publish(self.rung(door=7))
        await until(lambda: len(calls) == 3)

    async def test_what_a_handler_publishes_has_the_correlation_id_of_what_it_handles(self) -> None:
        seen: list[str] = []
        framework = self.framework()

        async def handler(event: Any) -> None:
            seen.append(correlation.current())
            if event.door:
                await framework.publish(self.rung(door=event.door - 1))

        framework.subscribe(self.rung, handler, Policy.ROUND_ROBIN)
        await framework.start()
        with correlation.scope("c-1"):
            await framework.publish(self.rung(door=1))
        await until(lambda: len(seen) == 2)
        await framework.publish(self.rung(door=0))
        await until(lambda: len(seen) == 3)
        assert seen[:2] == ["c-1", "c-1"]
        assert seen[2] not in ("", "c-1")

    async def test_a_framework_that_leaves_gives_what_it_held_to_others_of_its_broker(self) -> None:
        broker, held, inbox, batches = self.make(), Inbox(), Inbox(), Inbox()
        process = self.framework(broker)
        leaver, stayer = (Framework(broker, cast(Any, reactor), drain_s=0.1) for _ in range(2))

        async def hang(event: Any) -> None:
            await held.rung(event)
            await Deferred()

        async def hold(batch: Batch) -> None:
            await Deferred()

        async def take(batch: Batch) -> None:
            batches.doors.append(batch.partition)

        leaver.subscribe(self.rung, hang, Policy.SCOPED_ROUND_ROBIN, tag="left")
        leaver.stream(self.stream).consume("archive", hold, Share.SCOPED)
        await process.start()
        await self.rings(process, 2)
        published = Deferred.fromCoroutine(process.stream(self.stream).publish(1, b"batch"))
        await until(lambda: held.doors == [0, 1])
        await leaver.leave()
        stayer.subscribe(self.rung, inbox.rung, Policy.SCOPED_ROUND_ROBIN, tag="left")
        stayer.stream(self.stream).consume("archive", take, Share.SCOPED)
        await until(lambda: sorted(inbox.doors) == [0, 1] and batches.doors == [1])
        await published
        await self.rings(process, 1)
        await until(lambda: len(inbox.doors) == 3)
        assert held.doors == [0, 1]
        await stayer.leave()

    async def test_the_ready_hooks_run_once_all_is_subscribed(self) -> None:
        framework, inbox = self.framework(), Inbox()

        async def hook() -> None:
            await framework.publish(self.rung(door=1))

        framework.ready(hook)
        framework.subscribe(self.rung, inbox.rung, Policy.FANOUT)
        await framework.start()
        await until(lambda: inbox.doors == [1])

    async def test_at_most_so_many_are_handled_at_once_and_so_many_more_are_here(self) -> None:
        framework, busy = self.framework(), Busy()
        framework.subscribe(self.rung, busy.rung, Policy.ROUND_ROBIN, at_once=2, prefetch=5)
        await framework.start()
        await self.rings(framework, 10)
        await while_nothing_more_comes()
        assert busy.begun == [0, 1]
        other, inbox = self.framework(), Inbox()
        other.subscribe(self.rung, inbox.rung, Policy.ROUND_ROBIN)
        await other.start()
        await until(lambda: len(inbox.doors) == 5)
        await while_nothing_more_comes()
        assert inbox.doors == [5, 6, 7, 8, 9]
        busy.go_on()
        await until(lambda: len(busy.begun) == 5)
        assert busy.begun == [0, 1, 2, 3, 4]

    async def test_more_at_once_than_may_be_here_is_refused(self) -> None:
        with pytest.raises(ValueError, match="2 at once of the 1 that may be here"):
            self.framework().subscribe(self.rung, Inbox().rung, Policy.FANOUT, at_once=2, prefetch=1)

    async def test_what_one_leaves_unfinished_comes_to_the_next_in_its_old_place(self) -> None:
        leaves, busy = self.framework(), Busy()
        leaves.subscribe(self.rung, busy.rung, Policy.ROUND_ROBIN, at_once=1, prefetch=4)
        await leaves.start()
        await self.rings(leaves, 10)
        await while_nothing_more_comes()
        follows, inbox = self.framework(), Inbox()
        await self.stop(leaves)
        follows.subscribe(self.rung, inbox.rung, Policy.ROUND_ROBIN, at_once=1)
        await follows.start()
        await until(lambda: len(inbox.doors) == 10)
        assert (busy.begun, inbox.doors) == ([0], list(range(10)))

    async def test_a_handler_tells_a_second_delivery_by_the_id_of_the_event(self) -> None:
        handled: dict[str, int] = {}
        deliveries: list[str] = []

        async def handler(event: Any) -> None:
            deliveries.append(current().id)
            if current().id not in handled:
                handled[current().id] = event.door
                raise ValueError("it fails after the work is done")

        framework = self.framework()
        framework.subscribe(self.rung, handler, Policy.ROUND_ROBIN)
        await framework.start()
        await self.rings(framework, 5)
        await until(lambda: len(deliveries) == 10)
        assert sorted(handled.values()) == list(range(5))

    async def test_outside_of_a_handler_there_is_no_current_event(self) -> None:
        with pytest.raises(LookupError):
            current()


class RestartContract(BrokerContract):
    """What outlives a process; each broker that `make` gives is that of the next one."""

    async def test_a_retry_is_due_when_it_would_have_been_without_the_restart(self) -> None:
        clock, calls = cast(Any, reactor), list[float]()

        async def later(_: Any) -> None:
            calls.append(clock.seconds())
            raise RetryLater(1.0)

        async def handler(_: Any) -> None:
            calls.append(clock.seconds())

        for handle in (later, handler):
            framework = self.framework()
            framework.subscribe(self.rung, handle, Policy.ROUND_ROBIN)
            await framework.start()
            if handle is later:
                await framework.publish(self.rung(door=1))
            await until(lambda: len(calls) == 1)
            await while_nothing_more_comes()
            assert len(calls) == 1
            if handle is later:
                await self.stop(framework)
        await until(lambda: len(calls) == 2)
        assert calls[1] - calls[0] == pytest.approx(1.0, abs=0.4)


class TestOnMemory(EventContract, OnMemory):
    __test__ = True


class TestRestartOnMemory(RestartContract, OnMemory):
    __test__ = True

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.journal = Path(folder.name, "events.db")

    def make(self) -> Broker:
        return MemoryBroker(self.journal, cast(Any, reactor))


class TestRestartOnRabbitMQ(RestartContract, OnRabbitMQ):
    __test__ = True


class TestOnRabbitMQ(EventContract, OnRabbitMQ):
    __test__ = True
