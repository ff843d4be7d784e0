"""What of a topology a broker has, and what it has in an older shape; over pika's blocking connection.

For commands, which may wait; a running process asks by `eventframework.settle`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple

from pika import BlockingConnection, URLParameters

from eventframework.declare import Step
from eventframework.errors import BrokerUnavailable, NotThere, TopologyClash
from eventframework.translate import PIKAS, translated, translating

ANSWER_S = 10.0


class State(Enum):
    """How a queue or exchange is."""

    FITS = "as it should be"
    MISSING = "missing"
    CLASHES = "of an older shape"


class Finding(NamedTuple):
    """A queue or exchange of the topology; `problem` says how it clashes."""

    step: Step
    state: State
    problem: str = ""
    messages: int = 0
    consumers: int = 0


@contextmanager
def connected(urls: Sequence[str]) -> Iterator[BlockingConnection]:
    """A connection to the first that answers; raises BrokerForbids with what to do, or BrokerUnavailable."""
    connection = _connect(urls)
    try:
        with translating("RabbitMQ"):
            yield connection
    finally:
        if connection.is_open:
            connection.close()


def _connect(urls: Sequence[str]) -> BlockingConnection:
    for number, url in enumerate(urls, 1):
        parameters = URLParameters(url)
        parameters.socket_timeout = parameters.stack_timeout = ANSWER_S
        parameters.blocked_connection_timeout = ANSWER_S
        try:
            return BlockingConnection(parameters)
        except (*PIKAS, OSError) as error:
            if number == len(urls):
                raise translated(error, f"RabbitMQ at {url.rpartition('@')[2]}") from error
    raise BrokerUnavailable("broker.urls is empty")


def version(connection: BlockingConnection) -> str:
    """Of the broker."""
    return str(connection._impl.server_properties["version"])


def look(connection: BlockingConnection, steps: Sequence[Step]) -> list[Finding]:
    """Each queue and exchange, as it is; makes none."""
    return [_look(connection, step) for step in steps if step.kind in ("queue", "exchange")]


def _look(connection: BlockingConnection, step: Step) -> Finding:
    """On a channel of its own, which anything but a thing that fits ends."""
    messages = consumers = 0
    try:
        with translating(step.name), connection.channel() as channel:
            found = take(channel, step.look()).method
            if step.kind == "queue":
                messages, consumers = found.message_count, found.consumer_count
            take(channel, step)
    except NotThere:
        return Finding(step, State.MISSING)
    except TopologyClash as error:
        return Finding(step, State.CLASHES, error.clash, messages, consumers)
    return Finding(step, State.FITS, "", messages, consumers)


def take(channel: Any, step: Step) -> Any:
    """Take one step; returns the broker's answer."""
    return getattr(channel, step.method)(**step.arguments)
