"""Who gets an event: the three delivery policies and the queues that they stand on.

    FANOUT               every subscriber gets a copy          exclusive queue, one per subscriber
    ROUND_ROBIN          one subscriber of all gets it         queue  evt.<topic>
    SCOPED_ROUND_ROBIN   one subscriber of each tag gets it    queue  evt.<topic>.<tag>, one copy per tag

The stream has the same idea with order: SCOPED gives each tag every batch, a partition worked by one live
instance of the tag at a time (queue `stream.<name>.<tag>.pNN`); FANOUT gives every consumer a lossy copy.
"""

from enum import Enum


class Policy(Enum):
    """How an event is delivered to those who subscribed to it."""

    FANOUT = "fanout"
    ROUND_ROBIN = "round_robin"
    SCOPED_ROUND_ROBIN = "scoped_round_robin"


class Share(Enum):
    """How a stream's batches are shared by the consumers of one tag."""

    FANOUT = "fanout"
    SCOPED = "scoped"


def event_queue(topic: str, tag: str = "") -> str:
    """The name of the durable queue of a topic, or of a topic and a tag."""
    return f"evt.{topic}.{tag}" if tag else f"evt.{topic}"


def stream_queue(stream: str, tag: str, partition: int) -> str:
    """The name of the durable queue of one partition of a stream for one tag."""
    return f"stream.{stream}.{tag}.p{partition:02d}"


def queue_tag(name: str) -> str:
    """The tag of the queue of that name; empty where it has none."""
    match name.split("."):
        case ["evt", _, tag] | ["stream", _, tag, _]:
            return tag
    return ""
