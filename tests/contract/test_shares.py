"""How the instances of a tag share a stream's partitions: on every broker, under traffic."""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any, NamedTuple, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from eventframework import Batch, Framework
from eventframework.errors import EventError
from eventframework.members import Pace
from tests.contract.brokers import BrokerContract, OnMemory, OnRabbitMQ, until

TAGS = ("archive", "state")
PACE = Pace(announce_s=0.3, gone_s=1.0, settle_s=0.05)
RARE = Pace(announce_s=60, gone_s=200, settle_s=0.05)


class Did(NamedTuple):
    """An instance of a tag has begun a batch, or was told that a partition is released (number -1)."""

    tag: str
    instance: int
    partition: int
    number: int


class Crowd:
    """Instances that take a stream by both tags, a publisher that never rests, and what they did."""

    def __init__(self, stream: str, publisher: Framework, partitions: int) -> None:
        self.stream = publisher.stream(stream)
        self.partitions = partitions
        self.did: list[Did] = []
        self.published: Counter[int] = Counter()
        self.overlaps = 0
        self.handling_s = 0.001
        self._busy: set[tuple[str, int]] = set()
        self._traffic = LoopingCall(self._publish)
        self._sending: Deferred[Any] | None = None

    def add(self, framework: Framework, instance: int) -> None:
        for tag in TAGS:
            framework.stream(self.stream.name).consume(
                tag,
                lambda batch, tag=tag: self._handle(tag, instance, batch),  # type: ignore[misc]
                released=lambda partition, tag=tag: self._note(tag, instance, partition, -1),  # type: ignore[misc]
            )

    def flow(self) -> None:
        self._traffic.start(0.01)

    async def burst(self, number: int) -> None:
        await gatherResults([self._publish() for _ in range(number)])

    async def rest(self) -> None:
        if self._traffic.running:
            self._traffic.stop()
        if self._sending is not None:
            await self._sending

    def owners(self, tag: str) -> list[int]:
        """Which instance handled the newest batch of each partition."""
        last = {did.partition: did.instance for did in self.did if did.tag == tag and did.number >= 0}
        return [last.get(partition, -1) for partition in range(self.partitions)]

    def is_balanced(self, *instances: int) -> bool:
        loads = [[self.owners(tag).count(instance) for instance in instances] for tag in TAGS]
        return all(sum(load) == self.partitions and max(load) - min(load) <= 1 for load in loads)

    def handled(self) -> dict[tuple[str, int], list[Did]]:
        """By tag and partition."""
        found: dict[tuple[str, int], list[Did]] = defaultdict(list)
        for did in self.did:
            found[did.tag, did.partition].append(did)
        return found

    def numbers(self) -> dict[tuple[str, int], list[int]]:
        handled = self.handled().items()
        return {key: [did.number for did in all_ if did.number >= 0] for key, all_ in handled}

    def all_arrived(self) -> bool:
        numbers = self.numbers()
        return all(
            len(set(numbers.get((tag, partition), ()))) == self.published[partition]
            for tag in TAGS
            for partition in range(self.partitions)
        )

    def untold_moves(self) -> list[tuple[Did, Did]]:
        """Where a partition changed hands without its former owner being told."""
        return [
            (before, after)
            for all_ in self.handled().values()
            for before, after in pairwise(all_)
            if before.instance != after.instance and before.number != -1
        ]

    async def _handle(self, tag: str, instance: int, batch: Batch) -> None:
        self.overlaps += (tag, batch.partition) in self._busy
        self._busy.add((tag, batch.partition))
        self._note(tag, instance, batch.partition, int(batch.body))
        await deferLater(cast(Any, reactor), self.handling_s)
        self._busy.discard((tag, batch.partition))

    def _note(self, *did: Any) -> None:
        self.did.append(Did(*did))

    async def _insist(self, partition: int) -> None:
        number = self.published[partition]
        self.published[partition] += 1
        while True:
            try:
                return await self.stream.publish(partition, b"%d" % number)
            except EventError:
                await deferLater(cast(Any, reactor), 0.05)

    def _publish(self) -> Deferred[Any]:
        every = range(self.partitions)
        self._sending = gatherResults([Deferred.fromCoroutine(self._insist(each)) for each in every])
        return self._sending


class ShareContract(BrokerContract):
    """Ten partitions, two tags, and instances that come and go."""

    partitions = 10
    pace = PACE

    async def crowd(self, instances: int, pace: Pace = PACE) -> Crowd:
        self.pace = pace
        self.members: dict[int, Framework] = {}
        self.crowd_ = Crowd(self.stream, self.framework(), self.partitions)
        await self.join(*range(instances))
        await self.frameworks[0].start()
        self.crowd_.flow()
        self.addCleanup(self.still)
        return self.crowd_

    def still(self) -> Any:
        return Deferred.fromCoroutine(self.crowd_.rest())

    async def join(self, *instances: int) -> None:
        for instance in instances:
            self.members[instance] = self.framework()
            self.crowd_.add(self.members[instance], instance)
        starts = [Deferred.fromCoroutine(self.members[instance].start()) for instance in instances]
        await gatherResults(starts)

    async def go(self, *instances: int) -> None:
        for instance in instances:
            await self.stop(self.members.pop(instance))

    async def until_balanced(self, limit_s: float | None = None) -> None:
        """What comes out of step while many come at once is put right at the next announcement."""
        limit_s = limit_s or 15 + self.pace.announce_s
        await until(lambda: self.crowd_.is_balanced(*self.members), limit_s)

    async def until_settled(self) -> None:
        """Balanced, and not only on the way."""
        owners: list[list[int]] = []
        while owners != (owners := [self.crowd_.owners(tag) for tag in TAGS]):
            await self.until_balanced()
            await deferLater(cast(Any, reactor), 2 * PACE.announce_s)

    async def and_all_is_in_order(self, unfinished: int = 0) -> None:
        """Every tag has seen every batch of a partition once and in order, but for so many twice."""
        await self.crowd_.rest()
        await until(self.crowd_.all_arrived)
        for (tag, partition), numbers in self.crowd_.numbers().items():
            twice = len(numbers) - len(set(numbers))
            assert twice <= unfinished, (tag, partition, twice)
            assert numbers == sorted(numbers), (tag, partition, numbers)
        assert len(self.crowd_.numbers()) == len(TAGS) * self.partitions

    async def test_shares_stay_balanced_and_in_order_while_instances_join_and_leave(self) -> None:
        crowd = await self.crowd(1)
        await self.until_balanced()
        await self.join(1, 2)
        await self.until_balanced()
        await self.join(*range(3, 8))
        await self.until_balanced()
        await self.go(0, 3, 5, 6, 7)
        await self.until_balanced()
        await self.go(2, 4)
        await self.until_balanced()
        await self.and_all_is_in_order()
        assert not crowd.overlaps
        assert not crowd.untold_moves()

    async def test_nothing_changes_hands_while_nobody_comes_or_goes(self) -> None:
        crowd = await self.crowd(3)
        await self.until_settled()
        owners, begun = [crowd.owners(tag) for tag in TAGS], len(crowd.did)
        await deferLater(cast(Any, reactor), 3 * PACE.announce_s)
        later = crowd.did[begun:]
        assert {did.number >= 0 for did in later} == {True}
        assert all(owners[TAGS.index(did.tag)][did.partition] == did.instance for did in later)
        await self.and_all_is_in_order()

    async def test_a_newcomer_need_not_wait_for_the_next_announcement(self) -> None:
        await self.crowd(2, RARE)
        await self.until_balanced()
        await self.join(2)
        await self.until_balanced(limit_s=15)
        await self.and_all_is_in_order()

    async def test_what_waits_at_an_instance_comes_to_the_next_in_order_and_once(self) -> None:
        crowd = await self.crowd(1)
        await crowd.rest()
        crowd.handling_s = 0.02
        sending = [Deferred.fromCoroutine(crowd.burst(100))]
        await self.join(1, 2)
        while not crowd.is_balanced(*self.members):
            sending.append(Deferred.fromCoroutine(crowd.burst(2)))
            await deferLater(cast(Any, reactor), 2 * crowd.handling_s)
        await gatherResults(sending)
        await self.and_all_is_in_order()
        assert not crowd.overlaps

    async def test_an_instance_that_leaves_is_told_of_each_partition_it_had(self) -> None:
        crowd = await self.crowd(2)
        await self.until_settled()
        had = {(tag, partition) for tag in TAGS for partition in self.of(1, tag)}
        begun = len(crowd.did)
        await self.go(1)
        told = [did for did in crowd.did[begun:] if did.instance == 1 and did.number == -1]
        assert {(did.tag, did.partition) for did in told} == had
        await self.and_all_is_in_order()

    def of(self, instance: int, tag: str) -> list[int]:
        owners = self.crowd_.owners(tag)
        return [partition for partition, owner in enumerate(owners) if owner == instance]


class TestOnMemory(ShareContract, OnMemory):
    __test__ = True


class TestOnRabbitMQ(ShareContract, OnRabbitMQ):
    __test__ = True

    def abort(self, instance: int) -> None:
        """As when its process is killed: no goodbye on either connection."""
        broker = cast(Any, self.members[instance])._broker
        for link in (broker._publishing, broker._consuming):
            link._protocol.transport.abortConnection()

    def kill(self, instance: int) -> None:
        """The same for good."""
        broker = cast(Any, self.members[instance])._broker
        broker._publishing._stopping = broker._consuming._stopping = True
        self.abort(instance)
        del self.members[instance]

    async def test_others_take_over_within_a_second_when_an_instance_dies(self) -> None:
        crowd = await self.crowd(3)
        await self.until_settled()
        had = {tag: self.of(1, tag) for tag in TAGS}
        begun = len(crowd.did)
        self.kill(1)

        def taken_over() -> bool:
            alive = [did for did in crowd.did[begun:] if did.instance != 1 and did.number >= 0]
            return all({did.partition for did in alive if did.tag == tag} >= set(had[tag]) for tag in TAGS)

        assert all(had.values())
        await until(taken_over, limit_s=1.0)
        await self.until_balanced()
        await self.and_all_is_in_order(unfinished=1)

    async def test_an_instance_whose_connections_break_has_its_share_again_and_was_told(self) -> None:
        crowd = await self.crowd(3, RARE)
        await self.until_settled()
        had = {(tag, partition) for tag in TAGS for partition in self.of(1, tag)}
        begun = len(crowd.did)
        self.abort(1)

        def told() -> set[tuple[str, int]]:
            mine = [did for did in crowd.did[begun:] if did.instance == 1]
            return {(did.tag, did.partition) for did in mine if did.number == -1}

        await until(lambda: told() == had, limit_s=1.0)
        await until(lambda: not any(self.of(1, tag) for tag in TAGS))
        await self.until_balanced()
        await self.and_all_is_in_order(unfinished=1)
