"""Who gets an event under each policy, however many subscribe, join and leave; on every broker."""

from collections.abc import Sequence
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from eventframework import Framework, Policy
from tests.contract.brokers import (
    BrokerContract,
    Inbox,
    OnMemory,
    OnRabbitMQ,
    ringing,
    until,
    while_nothing_more_comes,
)

MEMBERS = (1, 3, 8)
TAGS = ("alerts", "indexer")
DOORS = 40
SCOPED, ROUND, FANOUT = Policy.SCOPED_ROUND_ROBIN, Policy.ROUND_ROBIN, Policy.FANOUT


class Slow(Inbox):
    """An inbox whose handler takes a moment, so that a stop finds it at work."""

    begun = 0

    async def rung(self, event: Any) -> None:
        self.begun += 1
        await deferLater(cast(Any, reactor), 0.001)
        await super().rung(event)


def taken(inboxes: Sequence[Inbox]) -> list[int]:
    """All doors that any of them heard of, in order."""
    return sorted(door for inbox in inboxes for door in inbox.doors)


class PolicyContract(BrokerContract):
    """One of each tag, one of all, or everybody."""

    async def test_fanout_gives_each_of_one_three_and_eight_subscribers_everything(self) -> None:
        for members in MEMBERS:
            inboxes = await self.given(FANOUT, members, copies=members)
            assert all(inbox.doors == list(range(DOORS)) for inbox in inboxes), members

    async def test_round_robin_gives_an_event_to_one_of_one_three_and_eight_subscribers(self) -> None:
        for members in MEMBERS:
            inboxes = await self.given(ROUND, members, copies=1)
            assert taken(inboxes) == list(range(DOORS)), members
            assert all(inbox.doors for inbox in inboxes), members
            assert members > 1 or inboxes[0].doors == list(range(DOORS))

    async def test_scoped_gives_an_event_to_one_of_one_three_and_eight_subscribers_of_each_tag(self) -> None:
        for members in MEMBERS:
            inboxes = await self.given(SCOPED, members, copies=len(TAGS))
            for tag in range(len(TAGS)):
                assert taken(inboxes[tag :: len(TAGS)]) == list(range(DOORS)), members

    async def given(self, policy: Policy, members: int, copies: int) -> list[Inbox]:
        """What that many subscribers of each tag heard, and nothing more came."""
        self.rung, framework = ringing(), self.framework()
        tags = TAGS if policy is SCOPED else ("",)
        inboxes = [Inbox() for _ in range(members * len(tags))]
        for number, inbox in enumerate(inboxes):
            framework.subscribe(self.rung, inbox.rung, policy, tag=tags[number % len(tags)])
        await framework.start()
        await self.rings(framework, DOORS)
        await until(lambda: len(taken(inboxes)) >= DOORS * copies)
        await while_nothing_more_comes()
        return inboxes

    async def test_fanout_gives_who_joins_all_from_then_on_and_who_leaves_all_until_then(self) -> None:
        staying, leaving, joining = await self.coming_and_going(FANOUT, "")
        await until(lambda: len(staying.doors) == 300)
        await while_nothing_more_comes()
        assert staying.doors == list(range(300))
        assert leaving.doors == list(range(len(leaving.doors)))
        assert len(leaving.doors) < 300
        assert joining.doors == list(range(joining.doors[0], 300))

    async def test_round_robin_loses_and_repeats_nothing_while_some_join_and_leave(self) -> None:
        await self.nothing_lost_or_twice(await self.coming_and_going(ROUND, ""))

    async def test_scoped_loses_and_repeats_nothing_of_either_tag_while_some_join_and_leave(self) -> None:
        other = Slow()
        await self.process(other, SCOPED, "indexer")
        await self.nothing_lost_or_twice(await self.coming_and_going(SCOPED, "alerts"))
        await self.nothing_lost_or_twice([other])

    async def nothing_lost_or_twice(self, inboxes: list[Inbox]) -> None:
        await until(lambda: len(taken(inboxes)) >= 300)
        await while_nothing_more_comes()
        assert taken(inboxes) == list(range(300))
        assert all(inbox.doors for inbox in inboxes)

    async def coming_and_going(self, policy: Policy, tag: str) -> list[Inbox]:
        """Three subscribers in processes of their own, one there all the time; 300 events meanwhile."""
        staying, leaving, joining = Slow(), Slow(), Slow()
        publisher = await self.process(staying, policy, tag)
        goes = await self.process(leaving, policy, tag)
        publishing = Deferred.fromCoroutine(self.keep_ringing(publisher, 300))
        await until(lambda: len(leaving.doors) > 10)
        await self.process(joining, policy, tag)
        await self.stop(goes)
        assert leaving.begun == len(leaving.doors)
        heard = len(leaving.doors)
        await publishing
        await until(lambda: bool(joining.doors))
        assert len(leaving.doors) == heard
        return [staying, leaving, joining]

    async def process(self, inbox: Inbox, policy: Policy, tag: str) -> Framework:
        framework = self.framework()
        framework.subscribe(self.rung, inbox.rung, policy, tag=tag)
        await framework.start()
        return framework

    async def keep_ringing(self, framework: Framework, doors: int) -> None:
        for door in range(doors):
            await framework.publish(self.rung(door=door))
            await deferLater(cast(Any, reactor), 0.002)


class TestOnMemory(PolicyContract, OnMemory):
    __test__ = True


class TestOnRabbitMQ(PolicyContract, OnRabbitMQ):
    __test__ = True
