"""Queues and exchanges of an older shape: named by the doctor, mended with all their messages."""

import socket
import uuid
from typing import Any, cast

import pytest
from pika import BasicProperties, BlockingConnection, URLParameters
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import NackError
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial import unittest

from eventframework import Subscription, Topology
from eventframework.catalogue import AgentConnected
from eventframework.declare import Step, queue_steps
from eventframework.errors import BrokerUnavailable
from eventframework.mend import BARRIER, Mending, QueuesInUse
from eventframework.policy import Policy
from eventframework.rabbitmq import RabbitBroker
from eventframework.survey import State, connected, look
from eventframework.topology import MENDING, Overflow, Queue
from statslib import Stats
from tests.contract.brokers import until
from tests.engines import SHARED
from tests.product import picket

MESSAGES = 500
QUORUM = {"x-queue-type": "quorum"}
EVENT = Queue("evt.rung.indexer", "events", ("rung",))
PARTITION = Queue(
    "stream.results.state.p03",
    "stream.results",
    ("p03",),
    ordered=True,
    full=Overflow.DROP_OLDEST,
    most_bytes=9999999,
)
OLD: dict[str, tuple[Queue, dict[str, Any]]] = {
    "a classic queue": (EVENT, {}),
    "a quorum queue without a delivery limit": (EVENT, QUORUM),
    "a partition with another limit": (
        PARTITION,
        QUORUM | {"x-single-active-consumer": True, "x-max-length-bytes": 8888888, "x-delivery-limit": 5},
    ),
}


@pytest.fixture
def url(pytestconfig: pytest.Config) -> str:
    """A vhost of one test's own."""
    shared = pytestconfig.stash[SHARED]
    engine, running = shared.start("rabbitmq")
    space = f"{shared.space}_{uuid.uuid4().hex[:8]}"
    engine.add_space(running, space)
    return engine.url(running, space)


def filled(channel: BlockingChannel, queue: Queue, arguments: dict[str, Any]) -> None:
    """Declare the queue as an older version would have, with its messages."""
    (key,) = queue.keys
    channel.exchange_declare(queue.exchange, durable=True)
    channel.queue_declare(queue.name, durable=True, arguments=arguments)
    channel.queue_bind(queue.name, queue.exchange, key)
    channel.confirm_delivery()
    for number in range(MESSAGES):
        headers = {"picket-attempts": number, "text": f"é{number}", "x-death": [{"count": 1, "queue": "q"}]}
        properties = BasicProperties(headers=headers, message_id=str(number), delivery_mode=2)
        channel.basic_publish(queue.exchange, key, b"%d" % number, properties, mandatory=True)


def emptied(channel: BlockingChannel, queue: Queue) -> list[int]:
    """The numbers of its messages, each with the headers and the key that it had."""
    numbers = []
    for method, properties, body in channel.consume(queue.name, auto_ack=True, inactivity_timeout=0.5):
        if method is None:
            break
        number = int(body)
        assert method.routing_key == queue.keys[0]
        assert properties.message_id == str(number)
        assert properties.delivery_mode == 2
        death = [{"count": 1, "queue": "q"}]
        assert properties.headers == {"picket-attempts": number, "text": f"é{number}", "x-death": death}
        numbers.append(number)
    channel.cancel()
    return numbers


@pytest.mark.parametrize("old", OLD)
def test_a_queue_of_an_older_shape_is_named_and_made_anew_with_its_messages_in_order(
    url: str, old: str
) -> None:
    queue, arguments = OLD[old]
    steps = queue_steps(queue, queue.name)
    told: list[str] = []
    with connected([url]) as connection:
        channel = connection.channel()
        filled(channel, queue, arguments)
        (clash,) = [found for found in look(connection, steps) if found.state is not State.FITS]
        assert (clash.step.name, clash.state, clash.messages) == (queue.name, State.CLASHES, MESSAGES)
        assert f"'{queue.name}'" in clash.problem

        assert Mending(connection, steps, told.append, settle_s=0).run() == 1

        assert {found.state for found in look(connection, steps)} == {State.FITS}
        assert told[-1] == f"queue {queue.name}: {MESSAGES} messages put back"
        assert emptied(channel, queue) == list(range(MESSAGES))
        channel.basic_publish(queue.exchange, queue.keys[0], b"it is bound", mandatory=True)
        assert names_there(connection) == []
        assert Mending(connection, steps, told.append, settle_s=0).run() == 0


def names_there(connection: Any) -> list[str]:
    """Of what a mending needs, what is left."""
    steps = [Step("queue_declare", {"queue": name}) for name in (MENDING, BARRIER)]
    steps += [Step("exchange_declare", {"exchange": f"{MENDING}.{each.name}"}) for each in (EVENT, PARTITION)]
    return [step.name for step in steps if exists(connection, step)]


def exists(connection: Any, step: Step) -> bool:
    (found,) = look(connection, [step])
    return found.state is not State.MISSING


class Ended(Exception):
    """The process was killed here."""


class Mortal:
    """A channel over which no more than so many calls are made; the last one is, before the end."""

    def __init__(self, channel: Any, calls: int) -> None:
        self._channel = channel
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            answer = getattr(self._channel, name)(*arguments, **named)
            self._left -= 1
            if not self._left:
                raise Ended
            return answer

        return call


@pytest.mark.parametrize("old", OLD)
def test_a_mending_that_is_killed_again_and_again_loses_nothing_and_keeps_the_order(
    url: str, old: str
) -> None:
    queue, arguments = OLD[old]
    steps = queue_steps(queue, queue.name)
    with connected([url]) as connection:
        filled(connection.channel(), queue, arguments)
    kills = 0
    for calls in (
        2,
        5,
        9,
        12,
        13,
        14,
        333,
        334,
        335,
        336,
        400,
        11,
        12,
        15,
        16,
        18,
        300,
        301,
        302,
        303,
        20,
        0,
    ):
        connection = BlockingConnection(URLParameters(url))
        mending = Mending(connection, steps, lambda _: None, settle_s=0)
        mending._channel = Mortal(mending._channel, calls or 10**9)
        try:
            mending.run()
        except Ended:
            kills += 1
        connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)
    with connected([url]) as connection:
        assert {found.state for found in look(connection, steps)} == {State.FITS}
        assert names_there(connection) == []
        numbers = emptied(connection.channel(), queue)
    assert kills > 15
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(MESSAGES))
    assert len(numbers) <= MESSAGES + kills


def test_an_exchange_of_an_older_shape_is_made_anew_with_its_bindings(url: str) -> None:
    steps = queue_steps(EVENT, EVENT.name)
    with connected([url]) as connection:
        channel = connection.channel()
        channel.exchange_declare(EVENT.exchange, "topic", durable=True)
        assert Mending(connection, steps, lambda _: None, settle_s=0).run() == 1
        channel.confirm_delivery()
        channel.basic_publish(EVENT.exchange, "rung", b"it is bound", mandatory=True)


def test_a_queue_that_is_consumed_is_left_as_it_is_and_the_service_to_stop_is_named(url: str) -> None:
    steps = queue_steps(EVENT, EVENT.name)
    with connected([url]) as connection:
        channel = connection.channel()
        filled(channel, EVENT, {})
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(EVENT.name, lambda *_: None)
        with pytest.raises(QueuesInUse, match="stop the services indexer first"):
            Mending(connection, steps, lambda _: None, settle_s=0).run()
        assert names_there(connection) == []


def test_what_is_published_meanwhile_is_refused(url: str) -> None:
    steps = queue_steps(EVENT, EVENT.name)
    outcomes: list[Exception] = []

    def publish(_: str) -> None:
        with connected([url]) as other, other.channel() as channel:
            channel.confirm_delivery()
            with pytest.raises(NackError):
                channel.basic_publish(EVENT.exchange, "rung", b"501", mandatory=True)
            outcomes.append(NackError([]))

    with connected([url]) as connection:
        channel = connection.channel()
        filled(channel, EVENT, {})
        Mending(connection, steps, publish, settle_s=0).run()
        assert emptied(channel, EVENT) == list(range(MESSAGES))
    assert len(outcomes) == 2


class TestAProcessThatFindsAnOlderQueue(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _url(self, url: str) -> None:
        self.url = url

    def broker(self, stats: Stats) -> RabbitBroker:
        topology = Topology((Subscription(AgentConnected, Policy.SCOPED_ROUND_ROBIN, "directory"),))
        broker = RabbitBroker(
            [self.url], cast(Any, reactor), "older", topology=topology, settle_s=0, stats=stats
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(broker.stop()))
        return broker

    async def test_says_so_and_begins_once_it_is_mended(self) -> None:
        stats = Stats("broker")
        broker = self.broker(stats)
        name = "evt.agent_connected.directory"
        with connected([self.url]) as connection:
            connection.channel().queue_declare(name, durable=True)
            starting = Deferred.fromCoroutine(broker.start())
            await until(lambda: name in stats.unready)
            assert "picket events queues mend" in stats.unready
            with pytest.raises(BrokerUnavailable, match="picket events queues mend"):
                await broker.publish("events", "agent_connected", b"")
            connection.channel().queue_delete(name)
        await starting
        await until(lambda: stats.unready == "")

    async def test_waits_for_the_end_of_a_mending(self) -> None:
        stats = Stats("broker")
        broker = self.broker(stats)
        with connected([self.url]) as connection:
            connection.channel().queue_declare(MENDING, durable=True, arguments=QUORUM)
            starting = Deferred.fromCoroutine(broker.start())
            await until(lambda: "broken off" in stats.unready)
            connection.channel().queue_delete(MENDING)
        await starting


def test_the_doctor_names_each_clash_and_the_command_mends_it(url: str, tmp_path: Any) -> None:
    queue = Queue("evt.agent_connected.directory", "events", ("agent_connected",))
    told: Any = {
        "PICKET_HOME": str(tmp_path),
        "PICKET_SECRET_KEY": "s",
        "PICKET_BROKER__KIND": "rabbitmq",
        "PICKET_BROKER__URLS": f"{url},amqp://u:p@127.0.0.1:1/x",
    }
    picket("manage", "migrate", **told)
    with connected([url]) as connection:
        filled(connection.channel(), queue, {})
        connection.channel().queue_declare("dead", durable=True)
    said = picket("doctor", check=False, **told).stdout
    assert "ok    rabbitmq" in said
    assert "FAIL  rabbitmq   RabbitMQ at 127.0.0.1:1/x" in said
    assert f"queue '{queue.name}' is of an older shape" in said
    assert "queue 'dead' is of an older shape" in said
    assert url.split("@")[0] not in said

    assert (
        f"queue {queue.name}, {MESSAGES} messages"
        in picket("events", "queues", "mend", "--dry-run", **told).stdout
    )
    assert picket("events", "queues", "mend", **told).stdout.endswith("mended 2\n")

    said = picket("doctor", check=False, **told).stdout
    assert "ok    topology" in said
    with connected([url]) as connection:
        assert emptied(connection.channel(), queue) == list(range(MESSAGES))
