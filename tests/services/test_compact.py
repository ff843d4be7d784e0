"""services.compact over a real database: who works at which shard, and what is forgotten."""

from collections.abc import Iterator
from typing import Any, cast
from unittest import mock

import pytest
from django.db import OperationalError
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from eventframework.catalogue import NodeDeleted
from eventframework.errors import RetryLater
from eventframework.event import Envelope, handle_in_context
from eventframework.policy import Policy
from picket.settings import Settings
from services import paced
from services.base import drain, set_up, start, stop
from services.compact import AGAIN_S, CONFIRMED_S, LEASE_MS, SURE_S, Compact
from statslib import Stats
from tests.services.steps import InThisThread
from tests.timeseries.samples import ACCOUNT, measured, result
from timeseries.errors import StoreUnavailable
from timeseries.memory import MemoryStore
from timeseries.retention import DAYS, LATE_DAYS
from timeseries.store import DAY_MS, HOUR_MS, SHARDS, Level, shard_of
from webapp.leases.lease import thd_take
from webapp.leases.models import Lease

pytestmark = pytest.mark.django_db

NOW_MS = 20_000 * DAY_MS
EVERY_S, AT_ONCE = 30, 3
OWN_DAYS = 30
"""That one account keeps raw values."""

NODES = [f"n{number:010x}" for number in range(4 * SHARDS)]


class Reactor(Clock):
    def callFromThread(self, call: Any, *arguments: Any) -> None:
        call(*arguments)


class Bus:
    """Brings events to whom it may concern."""

    def subscribe(self, event: Any, handler: Any, policy: Policy, *, tag: str) -> None:
        assert (event, policy, tag) == (NodeDeleted, Policy.SCOPED_ROUND_ROBIN, "compact")
        self.handler = handler

    async def bring(self, event: NodeDeleted, age_s: float) -> None:
        time_ms = NOW_MS - int(age_s * 1000)
        handle_in_context(Envelope("1", event.topic, 1, time_ms, event))
        await self.handler(event)


class Set:
    """Instances over one store and one database."""

    def __init__(self) -> None:
        self.reactor = Reactor()
        self.reactor.rightNow = NOW_MS / 1000
        self.store, self.threads = MemoryStore(self.reactor), InThisThread()
        self.bus = Bus()
        self.running: list[Compact] = []

    def run(self, coroutine: Any) -> Any:
        outcome: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
        return outcome[0]

    def start(self) -> Stats:
        stats = Stats("compact")
        values = {
            "broker": {"kind": "rabbitmq"},
            "compact": {"every_s": EVERY_S, "share": 1, "at_once": AT_ONCE},
        }
        values |= {"retention": {"accounts": {ACCOUNT: {"raw_days": OWN_DAYS}}}}
        made = Compact(
            reactor=self.reactor,
            bus=cast(Any, self.bus),
            store=self.store,
            threads=cast(Any, self.threads),
            stats=stats,
            settings=Settings.model_validate(values),
        )
        self.running.append(made)
        assert self.run(set_up(made)) is None
        assert self.run(start(made)) is None
        return stats

    def write(self, *nodes: str, age_ms: int = 2 * HOUR_MS) -> None:
        frames = [measured(NOW_MS - age_ms, result(user=1), node_id=node) for node in nodes]
        assert self.run(self.store.write(frames)) is None

    def look(self) -> None:
        self.reactor.pump([EVERY_S, *[0] * 200])

    def due(self) -> int:
        return sum(len(self.run(self.store.due(shard, NOW_MS))) for shard in range(SHARDS))

    def stop(self) -> None:
        for each in self.running:
            self.run(drain(each))
            self.run(stop(each))


@pytest.fixture
def house() -> Iterator[Set]:
    def at_once(_reactor: Any, _pool: Any, thd_function: Any, *arguments: Any) -> Any:
        return succeed(thd_function(*arguments))

    with mock.patch.object(paced, "deferToThreadPool", at_once):
        house = Set()
        yield house
        house.stop()
        assert house.reactor.getDelayedCalls() == []


def counted(stats: Stats, name: str) -> float:
    return {metric.name: metric.value for metric in stats.metrics()}.get(name, 0)


def test_every_due_hour_of_every_shard_is_passed_and_the_leases_are_given_back(house: Set) -> None:
    house.write(*NODES)
    stats = house.start()
    house.look()
    assert house.due() == 0
    assert counted(stats, "hours") == len(NODES)
    assert Lease.objects.count() == len(set(map(shard_of, NODES)))
    assert not Lease.objects.filter(until_ms__gt=0).exists()


def test_a_shard_that_another_instance_is_at_is_left_to_it_until_it_dies(house: Set) -> None:
    lease = f"compact/{shard_of(NODES[0]):02}"
    assert thd_take(lease, "another", LEASE_MS)
    house.write(NODES[0])
    house.start()
    house.look()
    assert house.due() == 1
    Lease.objects.update(until_ms=0)
    house.look()
    assert house.due() == 0


def test_shards_are_worked_at_side_by_side_but_no_more_hours_than_the_setting_says(house: Set) -> None:
    one_of_each = {shard_of(node): node for node in NODES}
    house.write(*one_of_each.values())
    under_way: list[Deferred[None]] = []
    put = house.store.put

    async def wait(*arguments: Any) -> None:
        under_way.append(Deferred())
        await under_way[-1]
        await put(*arguments)

    with mock.patch.object(house.store, "put", wait):
        stats = house.start()
        house.look()
        assert len(under_way) == AT_ONCE < SHARDS
        for number in range(SHARDS):
            under_way[number].callback(None)
            house.reactor.pump([0] * 20)
    assert counted(stats, "hours") == SHARDS


def test_frames_that_come_during_a_pass_wait_for_the_next_look(house: Set) -> None:
    house.write(NODES[0])
    put = house.store.put

    async def late(*arguments: Any) -> None:
        await put(*arguments)
        house.write(NODES[0])

    with mock.patch.object(house.store, "put", late):
        stats = house.start()
        house.look()
        assert counted(stats, "hours") == 1
    house.look()
    assert (counted(stats, "hours"), house.due()) == (2, 0)


def test_without_anything_due_the_database_is_left_alone(house: Set) -> None:
    house.threads.trouble = OperationalError("away")
    stats = house.start()
    house.look()
    assert (Lease.objects.count(), counted(stats, "failed")) == (0, 0)


def test_a_pass_whose_lease_was_lost_meanwhile_writes_nothing(house: Set) -> None:
    house.write(NODES[0])
    find = house.store.find

    async def lose(places: Any) -> Any:
        Lease.objects.update(holder="another", until_ms=10**15)
        house.reactor.rightNow += CONFIRMED_S
        return await find(places)

    with mock.patch.object(house.store, "find", lose):
        house.start()
        house.look()
    assert house.due() == 1
    assert house.run(house.store.keys(ACCOUNT, NODES[0])) == []
    assert Lease.objects.filter(holder="another", until_ms=10**15).count() == 1


def test_a_database_that_is_away_stops_the_work_and_blames_no_hour(house: Set) -> None:
    house.write(NODES[0])
    house.threads.trouble = OperationalError("away")
    stats = house.start()
    house.look()
    assert house.due() == 1
    house.threads.trouble = None
    house.look()
    assert house.due() == 0
    assert counted(stats, "failed") == 0


def test_rows_older_than_is_kept_are_forgotten_by_their_level(house: Set) -> None:
    calls: dict[Level, int] = {}
    of_account: dict[Level, int] = {}

    async def expire(level: Level, before_ms: int, accounts: dict[str, int]) -> int:
        calls[level] = before_ms
        of_account[level] = accounts[ACCOUNT]
        return 2

    with mock.patch.object(house.store, "expire", expire):
        stats = house.start()
    assert counted(stats, "rows_expired") == 6
    for level, days in DAYS.items():
        asked_ms = NOW_MS - (days + LATE_DAYS) * DAY_MS
        assert asked_ms - 31 * DAY_MS <= calls[level] <= asked_ms
        assert level.period(calls[level]) == calls[level]
    raw, five_minutes = Level.RAW, Level.FIVE_MINUTES
    assert of_account[raw] - calls[raw] == (DAYS[raw] - OWN_DAYS) * DAY_MS
    assert of_account[five_minutes] == calls[five_minutes]


def deleted(house: Set, node: str, age_s: float) -> Any:
    """What the handler ends with."""
    outcome = house.run(house.bus.bring(NodeDeleted(account_id=ACCOUNT, node_id=node), age_s))
    return outcome and outcome.value


def test_the_series_of_a_deleted_node_are_gone_when_the_event_is_done(house: Set) -> None:
    house.write(*NODES[:2])
    stats = house.start()
    house.look()
    house.write(*NODES[:2], age_ms=0)
    early = deleted(house, NODES[0], 0)
    assert isinstance(early, RetryLater)
    assert early.delay_s == AGAIN_S
    house.write(NODES[0])  # It was on its way.
    assert deleted(house, NODES[0], SURE_S) is None
    for node, left in ((NODES[0], False), (NODES[1], True)):
        assert bool(house.run(house.store.keys(ACCOUNT, node))) is left
        assert bool(house.run(house.store.read(ACCOUNT, node, 0, NOW_MS + 1))) is left
    assert counted(stats, "nodes_deleted") == 1


def test_a_node_is_deleted_again_while_something_is_left_or_the_store_is_away(house: Set) -> None:
    stats = house.start()
    house.write(NODES[0])

    async def away(*_: Any) -> None:
        raise StoreUnavailable("away")

    async def nothing(*_: Any) -> None:
        pass

    for delete in (away, nothing):
        with mock.patch.object(house.store, "delete", delete):
            assert isinstance(deleted(house, NODES[0], SURE_S), RetryLater)
    assert counted(stats, "nodes_deleted") == 0
