"""The base of all events: frozen typed structs with a topic, a version and a JSON wire form.

Wire form: `{"id": "32 hex digits", "topic": "node_updated", "version": 1, "time_ms": …,
"correlation_id": "…", "data": {…the fields…}}`. Unknown fields fail when producing (a struct has no place for
them) and are ignored when consuming.
"""

from contextvars import ContextVar
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from eventframework.errors import UnknownEvent, UnreadableEvent

E = TypeVar("E", bound="Event")
D = TypeVar("D")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, named in the past tense. Subclasses set `topic`, and `version` on a change.

    `about`: those of these fields that it has say what it is about, and events about one thing keep their
    order on the way through the outbox.
    """

    topic: ClassVar[str]
    version: ClassVar[int] = 1
    about: ClassVar[tuple[str, ...]] = ("account_id", "node_id")


class Envelope(msgspec.Struct, Generic[D], frozen=True):
    """What every message carries besides the event; `data` is that, typed or still as it came."""

    id: str
    topic: str
    version: int
    time_ms: int
    data: D
    correlation_id: str = ""


_handled: ContextVar[Envelope[Any]] = ContextVar("handled")
_untyped = msgspec.json.Decoder(Envelope[msgspec.Raw])
_encoder = msgspec.json.Encoder()


def current() -> Envelope[Any]:
    """The envelope of the event that is being handled; raises LookupError outside of a handler.

    Its `id` is the same at every delivery of the event: by it, what must not happen twice is told apart.
    """
    return _handled.get()


def handle_in_context(envelope: Envelope[Any]) -> None:
    """From now on `current()` is this envelope, here and wherever this context is copied to."""
    _handled.set(envelope)


def topics() -> dict[str, type[Event]]:
    """Every event class that has been imported, by topic."""
    return {cls.topic: cls for cls in Event.__subclasses__()}


def entity(event: Event) -> str:
    """What the event is about, such as `a0123456789/n0123456789`."""
    return "/".join(str(getattr(event, name)) for name in event.about if name in event.__struct_fields__)


def encode(event: Event, *, event_id: str, time_ms: int, correlation_id: str = "") -> bytes:
    """The wire form of an event."""
    return _encoder.encode(Envelope(event_id, event.topic, event.version, time_ms, event, correlation_id))


def decode_envelope(body: bytes) -> Envelope[msgspec.Raw]:
    """The envelope of a message, whatever its topic; raises UnreadableEvent."""
    try:
        return _untyped.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UnreadableEvent(f"not an event: {error}") from error


def decode(body: bytes) -> tuple[Envelope[Event], Event]:
    """The envelope and the typed event of a message; raises UnreadableEvent or UnknownEvent."""
    topic = decode_envelope(body).topic
    if topic not in topics():
        raise UnknownEvent(f"no event has the topic {topic!r}")
    envelope = decode_as(body, topics()[topic])
    return envelope, envelope.data


def decode_as(body: bytes, expected: type[E]) -> Envelope[E]:
    """The same in one pass, for one type of event; raises UnknownEvent when it is another."""
    try:
        envelope = _decoder(expected).decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        _demand_topic(decode_envelope(body), expected)
        raise UnreadableEvent(f"{expected.topic}: {error}") from error
    _demand_topic(envelope, expected)
    return envelope


@cache
def _decoder(expected: type[E]) -> "msgspec.json.Decoder[Envelope[E]]":
    return msgspec.json.Decoder(Envelope[expected])  # type: ignore[valid-type]


def _demand_topic(envelope: Envelope[Any], expected: type[Event]) -> None:
    if envelope.topic != expected.topic:
        raise UnknownEvent(f"its topic is {envelope.topic!r}, and not {expected.topic!r}")
