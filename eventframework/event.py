"""The base of all events: frozen typed structs with a topic, a version and a JSON wire form.

Wire form: `{"id": "32 hex digits", "topic": "node_updated", "version": 1, "time_ms": …,
"correlation_id": "…", "data": {…the fields…}}`. Unknown fields fail when producing (a struct has no place for
them) and are ignored when consuming.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, ClassVar, TypeVar

import msgspec

from eventframework.errors import UnknownEvent, UnreadableEvent

E = TypeVar("E", bound="Event")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, named in the past tense. Subclasses set `topic`, and `version` on a change.

    `about`: those of these fields that it has say what it is about, and events about one thing keep their
    order on the way through the outbox.
    """

    topic: ClassVar[str]
    version: ClassVar[int] = 1
    about: ClassVar[tuple[str, ...]] = ("account_id", "node_id")


class Envelope(msgspec.Struct, frozen=True):
    """An event on the wire, with what every message carries."""

    id: str
    topic: str
    version: int
    time_ms: int
    data: msgspec.Raw
    correlation_id: str = ""


_handled: ContextVar[Envelope] = ContextVar("handled")
_envelope = msgspec.json.Decoder(Envelope)
_encoder = msgspec.json.Encoder()


def current() -> Envelope:
    """The envelope of the event that is being handled; raises LookupError outside of a handler.

    Its `id` is the same at every delivery of the event: by it, what must not happen twice is told apart.
    """
    return _handled.get()


@contextmanager
def handling(envelope: Envelope) -> Iterator[None]:
    """Within it, `current()` is this envelope, in coroutines and threads that copy the context too."""
    token = _handled.set(envelope)
    try:
        yield
    finally:
        with suppress(ValueError):  # A coroutine that nobody will finish is closed wherever it is collected.
            _handled.reset(token)


def topics() -> dict[str, type[Event]]:
    """Every event class that has been imported, by topic."""
    return {cls.topic: cls for cls in Event.__subclasses__()}


def entity(event: Event) -> str:
    """What the event is about, such as `a0123456789/n0123456789`."""
    return "/".join(str(getattr(event, name)) for name in event.about if name in event.__struct_fields__)


def encode(event: Event, *, event_id: str, time_ms: int, correlation_id: str = "") -> bytes:
    """The wire form of an event."""
    data = msgspec.Raw(_encoder.encode(event))
    return _encoder.encode(Envelope(event_id, event.topic, event.version, time_ms, data, correlation_id))


def decode_envelope(body: bytes) -> Envelope:
    """The envelope of a message; raises UnreadableEvent."""
    try:
        return _envelope.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UnreadableEvent(f"not an event: {error}") from error


def decode(body: bytes) -> tuple[Envelope, Event]:
    """The envelope and the typed event of a message; raises UnreadableEvent or UnknownEvent."""
    envelope = decode_envelope(body)
    cls: Any = topics().get(envelope.topic)
    if cls is None:
        raise UnknownEvent(f"no event has the topic {envelope.topic!r}")
    try:
        return envelope, msgspec.json.decode(envelope.data, type=cls)
    except msgspec.ValidationError as error:
        raise UnreadableEvent(f"{envelope.topic}: {error}") from error
