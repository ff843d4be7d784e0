"""What is logged of a delivery goes by the id of its event; what led to a failure is written with it."""

from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.logger import Logger, globalLogPublisher
from twisted.trial.unittest import TestCase

from eventframework import Batch, Framework, Policy, RetryLater, sync
from eventframework.memory import MemoryBroker
from picket import correlation
from tests.contract.brokers import ringing, until
from tests.picket.log.logs import Logged

log = Logger(namespace="handler")


class ScopesTest(TestCase):
    def setUp(self) -> None:
        self.logged = Logged(level="warn", kept_lines=200)
        globalLogPublisher.addObserver(self.logged.output)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.output)
        self.rung = ringing()
        self.bus = Framework(MemoryBroker(None, cast(Any, reactor)), cast(Any, reactor), backoff_s=(0.01,))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.bus.stop()))
        self.rings = 0

    def messages(self) -> list[str]:
        return [line["message"] for line in self.logged.lines]

    async def ring(self, handler: Any) -> None:
        self.bus.subscribe(self.rung, handler, Policy.SCOPED_ROUND_ROBIN, tag="bell")
        await self.bus.start()
        with correlation.scope("ring-0001"):
            await self.bus.publish(self.rung(door=1))

    async def test_each_failure_tells_what_led_to_it_under_the_events_id(self) -> None:
        async def broken(_: Any) -> None:
            self.rings += 1
            log.debug("ring {number}", number=self.rings)
            raise ZeroDivisionError("by nothing")

        await self.ring(broken)
        await until(lambda: any("dead letter" in message for message in self.messages()))
        told = [message for message in self.messages() if "handles" not in message]
        assert told == [
            "ring 1",
            "Failed, again in 0.01 s: ZeroDivisionError('by nothing')",
            "ring 2",
            "A dead letter after 2 attempts: ZeroDivisionError('by nothing')",
        ]
        assert {line["correlation_id"] for line in self.logged.lines} == {"ring-0001"}
        assert "test_scopes.py" in self.logged.lines[-1]["traceback"]

    async def test_a_handler_that_wants_it_later_has_not_failed(self) -> None:
        async def later(_: Any) -> None:
            self.rings += 1
            log.debug("ring {number}", number=self.rings)
            if self.rings == 1:
                raise RetryLater(0.01)

        await self.ring(later)
        await until(lambda: self.rings == 2)
        assert self.logged.text == ""

    async def test_a_batch_that_fails_tells_what_led_to_it(self) -> None:
        async def fails_once(batch: Batch) -> None:
            self.rings += 1
            log.debug("batch {number}", number=self.rings)
            if self.rings == 1:
                raise ZeroDivisionError

        self.bus.stream("results").consume("archive", fails_once)
        await self.bus.start()
        await self.bus.stream("results").publish(0, b"one")
        await self.bus.stream("results").publish(0, b"two")
        told = self.messages()
        assert told == ["batch 1", "Failed, again in 0.1 s: ZeroDivisionError()", "batch 2"]
        assert len({line["correlation_id"] for line in self.logged.lines}) == 1

    async def test_threads_that_publish_at_once_keep_their_ids(self) -> None:
        seen: list[tuple[int, str]] = []

        async def heard(event: Any) -> None:
            seen.append((event.door, correlation.current()))

        await self.ring(heard)
        publish = sync.publisher(self.bus, cast(Any, reactor))

        def thd_publish(door: int) -> None:
            with correlation.scope(f"ring-{door:04}"):
                publish(self.rung(door=door))

        await gatherResults([deferToThread(thd_publish, door) for door in range(2, 50)])
        await until(lambda: len(seen) == 49)
        assert [one for one in seen if one[1] != f"ring-{one[0]:04}"] == []
