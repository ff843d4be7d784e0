"""The same bytes as pika's, both ways, however they are cut."""

import random
from typing import Any

import pytest
from pika import BasicProperties
from pika.connection import Connection
from pika.exceptions import InvalidFrameError
from pika.frame import Body, Frame, Header, Heartbeat, Method
from pika.spec import Basic

from eventframework.framing import Framing

MOST = 100
"""Bytes of a body frame here."""


class Wire:
    """A pika connection, as far as frames are concerned."""

    def __init__(self) -> None:
        self._body_max_length = MOST
        self.bytes_received = 0
        self.sent = b""
        self.taken: list[Frame] = []

    def _output_marshaled_frames(self, frames: list[bytes]) -> None:
        self.sent += b"".join(frames)

    def _process_frame(self, frame: Frame) -> None:
        self.taken.append(frame)


def of_pika(*message: Any) -> bytes:
    wire: Any = Wire()
    Connection._send_message(wire, *message)
    sent: bytes = wire.sent
    return sent


@pytest.mark.parametrize("size", [0, 1, MOST - 1, MOST, MOST + 1, 3 * MOST])
@pytest.mark.parametrize("headers", [None, {}, {"picket-attempts": 3, "picket-error": "x" * 300}])
def test_a_message_is_written_as_pika_writes_it(size: int, headers: Any) -> None:
    wire = Wire()
    framing, properties = Framing(wire), BasicProperties(delivery_mode=2, message_id="7", headers=headers)
    content = properties, bytes(size)
    for exchange, key in (("events", "rung"), ("events", "node_updated"), ("", "dead"), ("events", "rung")):
        wire.sent = b""
        message = 5, Basic.Publish(exchange=exchange, routing_key=key, mandatory=True), content
        framing.send(*message)
        assert wire.sent == of_pika(*message)


def deliveries(count: int) -> list[Frame]:
    """The frames of so many messages, with what comes in between."""
    frames: list[Frame] = []
    for number in range(count):
        frames += [
            Method(1, Basic.Deliver("tag", number, False, "events", "rung")),
            Header(1, 150, BasicProperties(delivery_mode=2, headers={"picket-attempts": number})),
            Body(1, bytes([number]) * 100),
            Heartbeat(),
            Body(1, bytes([number]) * 50),
        ]
    return frames


@pytest.mark.parametrize("longest", [1, 7, 8, 9, 100, 400, 10_000])
def test_frames_are_read_however_the_stream_is_cut(longest: int) -> None:
    wire, expected = Wire(), deliveries(20)
    framing, cuts = Framing(wire), random.Random(longest)
    stream = b"".join(frame.marshal() for frame in expected)
    rest = stream
    while rest:
        piece = rest[: cuts.randint(1, longest)]
        framing.receive(piece)
        rest = rest[len(piece) :]
    assert [frame.marshal() for frame in wire.taken] == [frame.marshal() for frame in expected]
    assert wire.bytes_received == len(stream)


def test_a_frame_is_taken_as_soon_as_it_is_whole() -> None:
    wire = Wire()
    framing, (first, *_) = Framing(wire), deliveries(1)
    whole = first.marshal()
    framing.receive(whole[:-1])
    assert wire.taken == []
    framing.receive(whole[-1:] + b"\x01")
    assert len(wire.taken) == 1


@pytest.mark.parametrize("index", [0, 2])
def test_a_frame_without_its_end_mark_is_an_error(index: int) -> None:
    whole = deliveries(1)[index].marshal()
    with pytest.raises(InvalidFrameError):
        Framing(Wire()).receive(whole[:-1] + b"\x00")
