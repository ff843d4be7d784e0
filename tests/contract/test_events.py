"""Who gets an event, how often, and what is refused: the promises of every broker."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from eventframework import Event, Framework, Policy, PublishRefused, RetryLater
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


class EventContract(BrokerContract):
    """The three policies, retries and refusals."""

    async def test_fanout_gives_every_subscriber_a_copy(self) -> None:
        inboxes = [Inbox() for _ in range(3)]
        framework = self.framework()
        for inbox in inboxes:
            framework.subscribe(self.rung, inbox.rung, Policy.FANOUT)
        await framework.start()
        await self.rings(framework, 10)
        await until(lambda: all(len(inbox.doors) == 10 for inbox in inboxes))
        assert all(sorted(inbox.doors) == list(range(10)) for inbox in inboxes)

    async def test_round_robin_gives_an_event_to_one_subscriber_of_all(self) -> None:
        inboxes = [Inbox() for _ in range(3)]
        framework = self.framework()
        for inbox in inboxes:
            framework.subscribe(self.rung, inbox.rung, Policy.ROUND_ROBIN)
        await framework.start()
        await self.rings(framework, 30)
        await until(lambda: sum(len(inbox.doors) for inbox in inboxes) >= 30)
        await while_nothing_more_comes()
        assert sorted(door for inbox in inboxes for door in inbox.doors) == list(range(30))
        assert all(inbox.doors for inbox in inboxes)

    async def test_round_robin_gives_the_only_subscriber_everything(self) -> None:
        inbox, framework = Inbox(), self.framework()
        framework.subscribe(self.rung, inbox.rung, Policy.ROUND_ROBIN)
        await framework.start()
        await self.rings(framework, 10)
        await until(lambda: len(inbox.doors) == 10)
        assert inbox.doors == list(range(10))

    async def test_scoped_gives_an_event_to_one_subscriber_of_each_tag(self) -> None:
        inboxes = {tag: [Inbox() for _ in range(3)] for tag in ("alerts", "indexer")}
        framework = self.framework()
        for tag, members in inboxes.items():
            for inbox in members:
                framework.subscribe(self.rung, inbox.rung, Policy.SCOPED_ROUND_ROBIN, tag=tag)
        await framework.start()
        await self.rings(framework, 30)
        every = [inbox for members in inboxes.values() for inbox in members]
        await until(lambda: sum(len(inbox.doors) for inbox in every) >= 60)
        await while_nothing_more_comes()
        for members in inboxes.values():
            assert sorted(door for inbox in members for door in inbox.doors) == list(range(30))

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

    async def test_the_ready_hooks_run_once_all_is_subscribed(self) -> None:
        framework, inbox = self.framework(), Inbox()

        async def hook() -> None:
            await framework.publish(self.rung(door=1))

        framework.ready(hook)
        framework.subscribe(self.rung, inbox.rung, Policy.FANOUT)
        await framework.start()
        await until(lambda: inbox.doors == [1])


class TestOnMemory(EventContract, OnMemory):
    __test__ = True


class TestOnRabbitMQ(EventContract, OnRabbitMQ):
    __test__ = True
