"""Messages that fail too often: kept with their traceback, listed, replayed and dropped, by every broker."""

import json
import time
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.task import deferLater

from eventframework import Framework, Policy, PublishRefused
from eventframework.broker import Broker
from tests.contract.brokers import BrokerContract, OnMemory, OnRabbitMQ, until, while_nothing_more_comes


class DeadLetterContract(BrokerContract):
    """What becomes of poison."""

    async def test_poison_ends_among_the_dead_letters_with_its_traceback_and_blocks_nothing(self) -> None:
        calls: list[int] = []
        done: list[int] = []

        async def handler(event: Any) -> None:
            calls.append(event.door)
            if event.door == 13:
                raise ValueError("no such door")
            done.append(event.door)

        broker = self.make()
        framework = self.framework(broker)
        framework.subscribe(self.rung, handler, Policy.SCOPED_ROUND_ROBIN, tag="poisoned", at_once=1)
        await framework.start()
        await framework.publish(self.rung(door=13))
        await self.rings(framework, 5)
        await until(lambda: len(done) == 5)
        await until(lambda: calls.count(13) == 5)
        await while_nothing_more_comes()
        assert calls.count(13) == 5
        dead = [one for one in await broker.dead_letters() if one.queue == f"evt.{self.rung.topic}.poisoned"]
        assert [letter.attempts for letter in dead] == [5]
        assert "ValueError: no such door" in dead[0].error
        assert "in handler" in dead[0].error
        assert b'"door":13' in dead[0].body

    async def dead_rings(self, doors: int, policy: Policy = Policy.ROUND_ROBIN) -> Broker:
        """A broker whose only dead letters are rings at these doors; `self.heard` fills once mended."""
        broker = self.make()
        framework = Framework(broker, cast(Any, reactor), backoff_s=(0.1,), drain_s=2)
        self.frameworks.append(framework)
        self.heard, self.mended, self.calls = list[int](), False, 0

        async def handler(event: Any) -> None:
            self.calls += 1
            if not self.mended:
                raise ValueError("no such door")
            self.heard.append(event.door)

        framework.subscribe(self.rung, handler, policy, at_once=1)
        await framework.start()
        await broker.drop()
        for door in range(doors):
            await framework.publish(self.rung(door=door))
            await self.until_dead(broker, door + 1)
        return broker

    async def until_dead(self, broker: Broker, number: int) -> None:
        for _ in range(200):
            if len(await broker.dead_letters()) == number:
                return
            await deferLater(cast(Any, reactor), 0.02)
        raise AssertionError("they did not die in time")

    async def doors_of_the_dead(self, broker: Broker) -> list[int]:
        return [json.loads(letter.body)["data"]["door"] for letter in await broker.dead_letters()]

    async def test_dead_letters_are_counted_without_a_look_at_them(self) -> None:
        broker = await self.dead_rings(2)
        for _ in range(200):
            if await broker.count_dead_letters() == 2:
                return
            await deferLater(cast(Any, reactor), 0.02)
        raise AssertionError("they were not counted")

    async def test_a_dead_letter_has_an_id_that_stays_and_its_first_and_last_failure(self) -> None:
        before_ms = time.time_ns() // 1_000_000
        broker = await self.dead_rings(2)
        letters = await broker.dead_letters()
        assert len({letter.id for letter in letters}) == 2
        assert await broker.dead_letters() == letters
        assert await broker.dead_letters(letter_id=letters[1].id) == [letters[1]]
        assert len(await broker.dead_letters(limit=1)) == 1
        for letter in letters:
            assert before_ms <= letter.first_failed_ms <= letter.last_failed_ms - 90

    async def test_a_replayed_letter_comes_to_its_subscriber_and_the_others_stay_in_order(self) -> None:
        broker = await self.dead_rings(3)
        wanted = (await broker.dead_letters())[1].id
        self.mended = True
        assert await broker.replay(wanted) == 1
        await until(lambda: self.heard == [1])
        await self.until_dead(broker, 2)
        assert await self.doors_of_the_dead(broker) == [0, 2]
        assert await broker.replay(wanted) == 0

    async def test_all_dead_letters_are_replayed_in_order(self) -> None:
        broker = await self.dead_rings(3)
        self.mended = True
        assert await broker.replay() == 3
        await until(lambda: len(self.heard) == 3)
        assert self.heard == [0, 1, 2]
        await self.until_dead(broker, 0)

    async def test_a_replayed_letter_has_all_its_attempts_again(self) -> None:
        broker = await self.dead_rings(1)
        assert self.calls == 2
        assert await broker.replay() == 1
        await until(lambda: self.calls == 4)
        await self.until_dead(broker, 1)
        assert [letter.attempts for letter in await broker.dead_letters()] == [2]

    async def test_a_dropped_letter_is_gone_and_the_others_stay_in_order(self) -> None:
        broker = await self.dead_rings(3)
        assert await broker.drop("0" * 12) == 0
        assert await broker.drop((await broker.dead_letters())[1].id) == 1
        assert await self.doors_of_the_dead(broker) == [0, 2]
        assert await broker.drop() == 2
        assert await broker.dead_letters() == []

    async def test_a_letter_of_a_private_queue_cannot_be_replayed_and_stays(self) -> None:
        broker = await self.dead_rings(1, Policy.FANOUT)
        with pytest.raises(PublishRefused, match="1 of 1 stay dead"):
            await broker.replay()
        assert await self.doors_of_the_dead(broker) == [0]


class TestOnMemory(DeadLetterContract, OnMemory):
    __test__ = True


class TestOnRabbitMQ(DeadLetterContract, OnRabbitMQ):
    __test__ = True
