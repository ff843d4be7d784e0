"""services.outbox over a real database, with a clock and a broker of the test's own."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from django.db import OperationalError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from eventframework.catalogue import EventsCommitted, KeyRevoked, NodeUpdated
from eventframework.errors import BrokerUnavailable, PublishRefused
from eventframework.event import decode
from eventframework.policy import Policy
from eventframework.topology import Subscription, Topology
from picket.settings import Settings
from services.outbox import LOOK_S, MEASURE_S, Outbox
from statslib import Stats
from tests.services.steps import InThisThread
from webapp import outbox
from webapp.leases.models import Lease
from webapp.outbox import waking
from webapp.outbox.models import OutboxEvent
from webapp.outbox.relay import thd_oldest

pytestmark = pytest.mark.django_db

TAKEN = Topology((Subscription(NodeUpdated, Policy.SCOPED_ROUND_ROBIN, "indexer"),))


class Reactor(Clock):
    """Starts at a time of day; there is but one thread."""

    def __init__(self) -> None:
        super().__init__()
        self.rightNow = 1_700_000_000.0

    def callFromThread(self, call: Callable[[], None]) -> None:
        call()


class Bus:
    """Keeps what is published; `trouble` says for an event with which error it fails, or waits for what."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.hooks: list[Any] = []
        self.taken: dict[Any, Any] = {}
        self.trouble: Callable[[NodeUpdated], Any] = lambda _: None

    @property
    def told(self) -> list[str]:
        return [said(body) for body in self.bodies]

    def ready(self, hook: Any) -> None:
        self.hooks.append(hook)

    def subscribe(self, event: Any, handler: Any, policy: Policy) -> None:
        self.taken[Subscription(event, policy)] = handler

    async def relay(self, topic: str, body: bytes) -> None:
        event: Any = decode(body)[1]
        assert topic == event.topic
        trouble = self.trouble(event)
        if isinstance(trouble, Exception):
            raise trouble
        if trouble:
            await trouble
        self.bodies.append(body)


def said(body: bytes) -> str:
    return told_by(decode(body)[1])


def told_by(event: Any) -> str:
    """`n1 3`: the third change of node n1."""
    return f"{event.node_id} {event.changes['name'][1]}"


class Set:
    """Instances of the service over one database, and those who commit."""

    def __init__(self) -> None:
        self.reactor, self.bus, self.threads = Reactor(), Bus(), InThisThread()
        self.counts: Counter[str] = Counter()
        self.running: list[Outbox] = []

    def make(self, kind: str = "rabbitmq", bus: Bus | None = None) -> tuple[Outbox, Stats]:
        stats = Stats("outbox")
        broker = {"kind": kind, "urls": ["amqp://x"]}
        made = Outbox(
            reactor=cast(Any, self.reactor),
            bus=cast(Any, bus or self.bus),
            threads=cast(Any, self.threads),
            stats=stats,
            settings=Settings.model_validate({"broker": broker}),
            topology=TAKEN,
        )
        return made, stats

    def start(self, **how: Any) -> tuple[Outbox, Stats]:
        made, stats = self.make(**how)
        self.running.append(made)
        result(made.setup())
        result(made.start())
        return made, stats

    def commit(self, *nodes: str, wake: bool = False) -> None:
        for node in nodes:
            self.counts[node] += 1
            changes: dict[str, list[str | None]] = {"name": [None, str(self.counts[node])]}
            outbox.publish(NodeUpdated(account_id="a1", node_id=node, changes=changes))
        if wake:  # A test's own transaction never commits.
            waking.wake()

    def look(self) -> None:
        self.reactor.advance(LOOK_S)


def result(coroutine: Any) -> None:
    outcome: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
    assert outcome == [None]


def expire() -> None:
    """As if the lease's holder had not asked for long."""
    Lease.objects.update(until_ms=0)


def measures(stats: Stats) -> dict[str, float]:
    return {metric.name: metric.value for metric in stats.metrics()}


@pytest.fixture
def there() -> Iterator[Set]:
    made = Set()
    yield made
    for service in made.running:
        Deferred.fromCoroutine(service.drain())
        made.reactor.advance(10)
    assert made.reactor.getDelayedCalls() == []
    assert not waking._wakers


def test_what_was_committed_is_published_in_order_and_leaves_the_outbox(there: Set) -> None:
    there.commit("n1", "n2", "n1")
    there.start()
    there.commit("n1", "n2")
    there.look()
    assert [said for said in there.bus.told if said.startswith("n1")] == ["n1 1", "n1 2", "n1 3"]
    assert [said for said in there.bus.told if said.startswith("n2")] == ["n2 1", "n2 2"]
    assert thd_oldest(10) == []


def test_more_than_a_batch_goes_out_at_once(there: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.outbox.BATCH", 3)
    there.commit(*["n1"] * 10)
    there.start()
    assert there.bus.told == [f"n1 {number}" for number in range(1, 11)]


def test_idle_it_looks_once_a_second(there: Set, django_assert_num_queries: Any) -> None:
    there.start()
    there.reactor.advance(MEASURE_S)
    with django_assert_num_queries(2 * 3):  # The lease and the rows.
        for _ in range(24):
            there.reactor.advance(LOOK_S / 8)


def test_a_commit_of_this_process_wakes_it(there: Set) -> None:
    there.start()
    there.commit("n1", wake=True)
    assert there.bus.told == ["n1 1"]


def test_a_hint_from_another_process_wakes_it(there: Set) -> None:
    there.start()
    there.commit("n1")
    (subscription,) = there.bus.taken
    assert (subscription,) == Outbox.subscriptions
    result(there.bus.taken[subscription](EventsCommitted()))
    assert there.bus.told == ["n1 1"]


def test_while_the_broker_is_away_it_tries_less_and_less_often_and_goes_on_when_it_comes(there: Set) -> None:
    tries = []

    def away(_: NodeUpdated) -> Exception:
        tries.append(there.reactor.seconds())
        return BrokerUnavailable("away")

    there.bus.trouble = away
    there.commit("n1", "n1")
    there.start()
    for _ in range(1200):
        there.reactor.advance(0.1)
        waking.wake()
    assert 8 < len(tries) < 30
    there.bus.trouble = lambda _: None
    result(there.bus.hooks[0]())
    assert there.bus.told == ["n1 1", "n1 2"]


def test_an_entity_whose_event_is_refused_waits_and_the_others_go_on(there: Set) -> None:
    there.bus.trouble = lambda event: PublishRefused("full") if told_by(event) == "n1 1" else None
    there.commit("n1", "n2", "n1")
    _, stats = there.start()
    there.commit("n2", "n1")
    there.look()
    assert there.bus.told == ["n2 1", "n2 2"]
    assert measures(stats)["failed"] >= 1
    there.bus.trouble = lambda _: None
    for _ in range(5):
        there.look()
    assert there.bus.told[2:] == ["n1 1", "n1 2", "n1 3"]


def test_an_entity_that_was_taken_again_waits_no_longer_than_others_when_it_is_refused_anew(
    there: Set,
) -> None:
    there.bus.trouble = lambda _: PublishRefused("full")
    there.commit("n1")
    there.start()
    for _ in range(60):
        there.look()
    there.bus.trouble = lambda _: None
    for _ in range(16):
        there.look()
    there.bus.trouble = lambda _: PublishRefused("full")
    there.commit("n1")
    there.look()
    there.bus.trouble = lambda _: None
    there.look()
    assert there.bus.told == ["n1 1", "n1 2"]


def test_an_event_that_no_service_takes_is_dropped_and_counted(there: Set) -> None:
    there.bus.trouble = lambda event: PublishRefused("no queue") if isinstance(event, KeyRevoked) else None
    outbox.publish(KeyRevoked(account_id="a1", key="pk_1"))
    there.commit("n1")
    _, stats = there.start()
    assert there.bus.told == ["n1 1"]
    assert thd_oldest(10) == []
    assert (measures(stats)["dropped"], measures(stats)["published"]) == (1, 1)


def test_published_and_not_deleted_it_is_published_again_as_the_same_event(there: Set) -> None:
    held: Deferred[None] = Deferred()
    there.bus.trouble = lambda _: held
    there.commit("n1", "n1")
    there.start()
    there.threads.trouble = OperationalError("away")
    held.callback(None)
    assert there.bus.told == ["n1 1", "n1 2"]
    there.threads.trouble = None
    expire()
    there.start(bus=(other := Bus()))  # The first one is as good as dead.
    assert other.bodies == there.bus.bodies
    assert thd_oldest(10) == []


def test_a_database_that_is_away_makes_it_publish_nothing_twice(there: Set) -> None:
    held: Deferred[None] = Deferred()
    there.bus.trouble = lambda _: held
    there.commit("n1")
    there.start()
    there.threads.trouble = OperationalError("away")
    held.callback(None)
    there.reactor.advance(10)
    there.threads.trouble = None
    there.reactor.advance(15)
    there.commit("n1")
    there.look()
    assert there.bus.told == ["n1 1", "n1 2"]


def test_one_instance_relays_and_another_takes_over_when_it_is_gone(there: Set) -> None:
    _, stats = there.start()
    standby = Set()
    _, others = standby.start()
    there.commit("n1", wake=True)
    standby.look()
    assert (there.bus.told, standby.bus.told) == (["n1 1"], [])
    assert [measures(one)["holds_lease"] for one in (stats, others)] == [True, False]
    there.commit("n1")
    expire()
    standby.look()
    assert (there.bus.told, standby.bus.told) == (["n1 1"], ["n1 2"])
    there.look()
    assert [measures(one)["holds_lease"] for one in (stats, others)] == [False, True]
    result(standby.running[0].drain())


def test_a_stop_finishes_what_is_being_published_and_gives_the_lease_back(there: Set) -> None:
    under_way: Deferred[None] = Deferred()
    there.bus.trouble = lambda _: under_way
    there.commit("n1", "n1")
    service, _ = there.start()
    drained: list[None] = []
    Deferred.fromCoroutine(service.drain()).addCallback(drained.append)
    assert drained == []
    under_way.callback(None)
    assert drained == [None]
    assert there.bus.told == ["n1 1"]
    assert [said(row.body) for row in thd_oldest(10)] == ["n1 2"]
    there.bus.trouble = lambda _: None
    there.start()
    assert there.bus.told == ["n1 1", "n1 2"]


def test_a_stop_waits_only_so_long(there: Set) -> None:
    there.bus.trouble = lambda _: Deferred()
    there.commit("n1")
    service, _ = there.start()
    drained = Deferred.fromCoroutine(service.drain())
    there.reactor.advance(2)
    assert drained.called
    assert OutboxEvent.objects.count() == 1
    assert Lease.objects.get().until_ms == 0


def test_in_one_process_the_next_start_need_not_wait_for_the_lease(there: Set) -> None:
    there.start(kind="memory")
    there.start(kind="memory", bus=(other := Bus()))  # The first one was killed, say.
    there.commit("n1")
    there.look()
    assert there.bus.told or other.told
    assert Lease.objects.get().epoch == 1
    assert Lease.objects.get().holder == "picket up"


def test_how_much_waits_and_since_when_is_in_the_stats(there: Set) -> None:
    there.bus.trouble = lambda _: BrokerUnavailable("away")
    there.commit("n1", "n2")
    OutboxEvent.objects.update(written_ms=int((there.reactor.seconds() - 60) * 1000))
    _, stats = there.start()
    assert measures(stats)["pending"] == 2
    assert measures(stats)["oldest_s"] == pytest.approx(60, abs=0.1)
    assert measures(stats)["failed"] == 2
    there.bus.trouble = lambda _: None
    for _ in range(10):
        there.look()
    assert (measures(stats)["pending"], measures(stats)["oldest_s"]) == (0, 0)
