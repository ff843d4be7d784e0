"""Making queues and exchanges of an older shape anew, with all their messages, in their order.

    1  no queue that clashes is consumed; `mending` is made, which stops every topology step
    2  exchanges that clash are made anew; a barrier, a queue that refuses everything, is bound to every key
    3  each queue that clashes is unbound, emptied into `mending`, and deleted
    4  the queues are declared as they should be, and left alone for as long as the topology step does
    5  `mending` is emptied into the queues that its messages came from
    6  the queues are bound, the barrier and `mending` deleted

A message is acknowledged when the broker has confirmed its copy. A run that was ended at any point is run
again, and goes on with what it finds: nothing is lost, but one message may be there twice.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pika import BasicProperties, BlockingConnection
from pika.exceptions import NackError, UnroutableError

from eventframework.declare import Step
from eventframework.errors import BrokerUnavailable, EventError
from eventframework.policy import queue_tag
from eventframework.settle import SETTLE_S
from eventframework.survey import Finding, State, look, take
from eventframework.topology import MENDING
from eventframework.translate import translating

BARRIER = "mending.barrier"
LOCK = "mending.lock"
QUEUE, KEY = "picket-mending-queue", "picket-mending-key"
COUNTED_BY_BROKER = "x-delivery-count"
STALLED_S = 20.0

Say = Callable[[str], object]


class QueuesInUse(EventError):
    """A queue that is to be made anew has consumers; the text says which services to stop."""


class Mending:
    """One run over a connection that nobody else uses. `say` is told what was done."""

    def __init__(
        self, connection: BlockingConnection, steps: Sequence[Step], say: Say, settle_s: float = SETTLE_S
    ) -> None:
        self._channel: Any = connection.channel()
        self._connection = connection
        self._steps = steps
        self._say = say
        self._settle_s = settle_s
        self._ways_back: set[str] = set()

    def run(self) -> int:
        """Mend every clash; returns how many there were. Raises QueuesInUse before it changes anything."""
        clashes = [found for found in look(self._connection, self._steps) if found.state is State.CLASHES]
        if not clashes and not broken_off(self._connection):
            return 0
        demand_nobody_consumes(clashes)
        with translating("mending"):
            self._mend(clashes)
        return len(clashes)

    def _mend(self, clashes: Sequence[Finding]) -> None:
        self._begin()
        names = {
            kind: [f.step.name for f in clashes if f.step.kind == kind] for kind in ("exchange", "queue")
        }
        self._renew_exchanges(names["exchange"])
        self._bar()
        time.sleep(self._settle_s)
        for queue in names["queue"]:
            self._empty(queue)
        self._take("queue")
        time.sleep(self._settle_s)
        self._fill()
        self._take("queue_bind")
        self._end()

    def _begin(self) -> None:
        """Alone, and with `mending` there."""
        self._channel.queue_declare(LOCK, exclusive=True)
        take(self._channel, _MENDING)
        self._channel.confirm_delivery()
        self._channel.basic_qos(prefetch_count=1)

    def _renew_exchanges(self, names: Sequence[str]) -> None:
        for name in names:
            self._channel.exchange_delete(name)
            self._say(f"exchange {name}: made anew")
        self._take("exchange")

    def _bar(self) -> None:
        """What is published from now on is refused."""
        self._channel.queue_declare(BARRIER, arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        for step in self._bindings():
            if step.arguments["routing_key"]:
                take(self._channel, Step(step.method, step.arguments | {"queue": BARRIER}))

    def _empty(self, queue: str) -> None:
        for step in self._bindings(queue):
            self._channel.queue_unbind(**step.arguments)
        moved = self._move(queue, self._put_aside)
        lost = self._channel.queue_delete(queue).method.message_count
        self._say(f"queue {queue}: {moved} messages put aside, deleted")
        if lost:
            self._say(f"queue {queue}: {lost} messages came as it was deleted, and are lost")

    def _put_aside(self, queue: str, key: str, properties: BasicProperties, body: bytes) -> None:
        properties.headers = (properties.headers or {}) | {QUEUE: queue, KEY: key}
        self._publish("", MENDING, properties, body)

    def _fill(self) -> None:
        counted: Counter[str] = Counter()

        def put_back(_: str, __: str, properties: BasicProperties, body: bytes) -> None:
            queue, key = properties.headers.pop(QUEUE), properties.headers.pop(KEY)
            self._publish(self._way_back(queue), key, properties, body)
            counted[queue] += 1

        self._move(MENDING, put_back)
        for queue, messages in counted.items():
            self._say(f"queue {queue}: {messages} messages put back")

    def _way_back(self, queue: str) -> str:
        """An exchange that leads to this queue alone, whatever a message's key."""
        name = f"{MENDING}.{queue}"
        if queue not in self._ways_back:
            self._channel.exchange_declare(name, "fanout", durable=True)
            self._channel.queue_bind(queue, name)
            self._ways_back.add(queue)
        return name

    def _end(self) -> None:
        for step in self._steps:
            if step.kind == "queue":
                self._channel.exchange_delete(f"{MENDING}.{step.name}")
        self._channel.queue_delete(BARRIER)
        self._channel.queue_delete(MENDING)

    def _take(self, kind: str) -> None:
        for step in self._steps:
            if step.kind == kind:
                take(self._channel, step)

    def _bindings(self, queue: str = "") -> list[Step]:
        bindings = [step for step in self._steps if step.kind == "queue_bind"]
        return [step for step in bindings if queue in ("", step.name)]

    def _move(self, queue: str, put: Callable[[str, str, BasicProperties, bytes], None]) -> int:
        """Give each message to `put`, and acknowledge it then, until there are no more."""
        moved = 0
        while left := self._channel.queue_declare(queue, passive=True).method.message_count:
            for method, properties, body in self._channel.consume(queue, inactivity_timeout=STALLED_S):
                if method is None:
                    raise BrokerUnavailable(f"{queue} has {left} messages, and gives none: who consumes it?")
                put(queue, method.routing_key, properties, body)
                self._channel.basic_ack(method.delivery_tag)
                moved, left = moved + 1, left - 1
                if not left:
                    break
            self._channel.cancel()
        return moved

    def _publish(self, exchange: str, key: str, properties: BasicProperties, body: bytes) -> None:
        """Return at the confirm, when there is room."""
        properties.headers = {k: v for k, v in properties.headers.items() if k != COUNTED_BY_BROKER} or None
        full = False
        while True:
            try:
                self._channel.basic_publish(exchange, key, body, properties, mandatory=True)
                return
            except NackError:
                if not full:
                    self._say(
                        f"{exchange.removeprefix(MENDING + '.')} is full: start the service that takes it"
                    )
                full = True
                self._connection.sleep(1.0)
            except UnroutableError as error:
                raise BrokerUnavailable(f"{exchange} {key}: no queue takes it") from error


_MENDING = Step("queue_declare", {"queue": MENDING, "durable": True, "arguments": {"x-queue-type": "quorum"}})


def broken_off(connection: BlockingConnection) -> bool:
    """Whether a run is under way, or did not come to its end."""
    return look(connection, [_MENDING])[0].state is not State.MISSING


def demand_nobody_consumes(clashes: Sequence[Finding]) -> None:
    """Raise QueuesInUse if anyone does."""
    used = [found.step.name for found in clashes if found.consumers]
    if used:
        services = sorted({tag for queue in used if (tag := queue_tag(queue))})
        stop = f"stop the services {', '.join(services)}" if services else "stop Picket's processes"
        raise QueuesInUse(f"{', '.join(used)} {'have' if len(used) > 1 else 'has'} consumers: {stop} first")
