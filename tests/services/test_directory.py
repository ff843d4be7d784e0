"""services.directory: the interface Directory over a real database."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from django.db import OperationalError
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from eventframework.catalogue import AgentConnected, AgentDisconnected, NodeRegistered, StateChanged
from eventframework.event import Event
from eventframework.policy import Policy
from eventframework.topology import Subscription
from rpc import idl, local
from rpc.dispatcher import Dispatcher
from rpc.errors import Refused
from services.directory import Directory
from statslib import Stats
from tests.services.steps import InThisThread
from tests.webapp.base import outboxed
from webapp.accounts.keys import create_key
from webapp.accounts.models import Account

pytestmark = pytest.mark.django_db


class Bus:
    """Keeps who takes what."""

    def __init__(self) -> None:
        self.taken: dict[Subscription, Callable[[Event], Awaitable[None]]] = {}

    def subscribe(self, event: Any, handler: Any, policy: Policy, *, tag: str, at_once: int) -> None:
        assert at_once == 1
        self.taken[Subscription(event, policy, tag)] = handler

    async def bring(self, event: Event) -> None:
        (handler,) = (handler for taken, handler in self.taken.items() if taken.event is type(event))
        await handler(event)


class Set:
    """A directory, a client of it, and an account with a key."""

    def __init__(self) -> None:
        clock = Clock()
        clock.advance(1_000_000)
        dispatcher = Dispatcher(clock, Stats("directory"))
        self.bus = Bus()
        self.threads = InThisThread()
        service = Directory(rpc=dispatcher, threads=self.threads, bus=self.bus)  # type: ignore[arg-type]
        result(service.setup())
        self.client = local.connect("Directory", dispatcher)
        self.account = Account.objects.create(name="Ours")
        self.key = create_key(self.account, "agents", ["agent"])

    def hello(self, **said: Any) -> idl.Welcome:
        who: dict[str, Any] = {
            "key": self.key.key,
            "secret": self.key.secret,
            "protocol": 2,
            "host": "db1",
            "machine": "m1",
        }
        welcome: idl.Welcome = result(self.client.hello(idl.Hello(**(who | said))))
        return welcome

    def connected(self, node_id: str) -> AgentConnected:
        return AgentConnected(
            account_id=self.account.pk, node_id=node_id, connection_id="c1", gateway_id="g1", time_ms=1000
        )


def result(call: Any) -> Any:
    """What an awaitable that is already done returned or raised."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(call).addBoth(outcome.append)
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


@pytest.fixture
def directory() -> Set:
    return Set()


def test_hello_makes_a_node_and_leaves_an_event_of_it_once(directory: Set) -> None:
    welcome = directory.hello()
    assert welcome.account_id == directory.account.pk
    directory.hello(node=welcome.node_id, node_secret=welcome.node_secret)
    told = NodeRegistered(account_id=directory.account.pk, node_id=welcome.node_id, name="db1")
    assert outboxed() == [told]


def test_a_refusal_keeps_its_code_on_the_way(directory: Set) -> None:
    with pytest.raises(Refused) as caught:
        directory.hello(secret="ps_wrong")
    assert caught.value.code == "bad_key"


def test_assignments_are_those_of_the_accounts_node(directory: Set) -> None:
    node_id = directory.hello().node_id
    found = result(directory.client.assignments(directory.account.pk, node_id))
    assert {one.check for one in found} >= {"cpu", "mem", "disk", "net", "loadaverage"}
    assert all(one.params == "{}" and one.interval_s == 10 for one in found)
    stranger = Account.objects.create(name="Theirs")
    with pytest.raises(Refused, match="no node"):
        result(directory.client.assignments(stranger.pk, node_id))


def test_the_queues_that_it_declares_are_those_that_it_takes_from(directory: Set) -> None:
    assert tuple(directory.bus.taken) == Directory.subscriptions
    events = {taken.event for taken in Directory.subscriptions}
    assert events == {NodeRegistered, AgentConnected, AgentDisconnected, StateChanged}
    assert {(taken.policy, taken.tag) for taken in Directory.subscriptions} == {
        (Policy.SCOPED_ROUND_ROBIN, Directory.name)
    }


def test_what_happens_to_a_node_becomes_its_history(directory: Set) -> None:
    node_id = directory.hello().node_id
    (registered,) = outboxed()
    connected = directory.connected(node_id)
    for event in (registered, connected, connected):
        result(directory.bus.bring(event))
    kinds = directory.account.nodes.get().events.values_list("kind", flat=True)
    assert sorted(kinds) == ["connected", "registered"]


def test_an_event_that_the_database_does_not_take_is_brought_again(directory: Set) -> None:
    connected = directory.connected(directory.hello().node_id)
    directory.threads.trouble = OperationalError("away")
    with pytest.raises(OperationalError):
        result(directory.bus.bring(connected))
