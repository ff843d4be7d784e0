"""One agent's frames: those that come together go on together, whatever comes after them."""

import zlib
from collections.abc import Sequence
from typing import Any, cast

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from agent import wire
from agent_gateway.batcher import Sender
from agent_gateway.connection import Connection
from agent_gateway.session import Session
from picket.settings import Limits
from statslib import Stats
from timeseries.frames import Frame
from timeseries.layouts import Layouts

NOW_S = 1_700_000_000.0
BODY = b'{"time":%d,"results":[{"check":"cpu","metrics":{"idle":1.5}}]}'


class Transport(StringTransport):
    """A TLS connection that remembers what was written."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class House:
    """What a session needs of its gateway; it is the batcher, too."""

    directory: Any = None

    def __init__(self, limits: Limits) -> None:
        self.limits, self.stats = limits, Stats("gateway")
        self.added: list[list[Frame]] = []
        self.batcher, self.layouts = cast(Any, self), Layouts()
        self.codes: list[str] = []

    def add(self, frames: Sequence[Frame], sender: Sender) -> None:
        self.added.append(list(frames))

    def now(self) -> float:
        return NOW_S

    def opened(self, connection: Connection) -> Session:
        self.session = Session(self, connection)
        return self.session

    def closed(self, _connection: Connection, code: str) -> None:
        self.codes.append(code)

    def accepted(self, session: Session) -> None:
        pass

    def left(self, session: Session, reason: str) -> None:
        pass


def frame(seq: int, body: bytes = BODY % int(NOW_S * 1000)) -> bytes:
    return wire.encode("frame", seq, "zlib", payload=zlib.compress(body))


class SessionTest(SynchronousTestCase):
    def connect(self, **limits: Any) -> None:
        self.house, self.transport = House(Limits(**limits)), Transport()
        self.connection = Connection(self.house, "127.0.0.1")
        self.connection.makeConnection(self.transport)
        self.connection.handshakeCompleted()
        self.connection.accept()
        self.house.session.account_id, self.house.session.node_id = "a1", "n1"

    def origins(self) -> list[list[str]]:
        return [[each.origin for each in frames] for frames in self.house.added]

    def test_frames_of_one_read_are_handed_in_together_and_acknowledged_by_one_line(self) -> None:
        self.connect()
        self.connection.dataReceived(frame(1) + frame(2) + frame(3)[:-5])
        self.connection.dataReceived(frame(3)[-5:])
        self.assertEqual(self.origins(), [["a:1", "a:2"], ["a:3"]])
        self.house.session.safe(self.house.added[0])
        self.assertEqual(self.transport.value(), b"ack 1 2\n")
        self.assertEqual(self.house.stats.counters["frames_received"], 3)

    def test_frames_in_front_of_a_breach_are_handed_in(self) -> None:
        self.connect()
        self.connection.dataReceived(frame(1) + b"nonsense\n" + frame(2))
        self.assertEqual(self.origins(), [["a:1"]])
        self.assertIn(b"error unknown_command", self.transport.value())

    def test_a_frame_that_is_refused_takes_no_other_with_it(self) -> None:
        self.connect()
        self.connection.dataReceived(frame(1) + frame(2, b'{"time":1,"results":[]}') + frame(3))
        self.assertEqual(self.origins(), [["a:1", "a:3"]])
        self.assertIn(b"refused 2 bad_time", self.transport.value())

    def test_who_sends_too_many_a_second_is_read_again_in_the_next(self) -> None:
        self.connect(frames_per_s=2)
        self.connection.dataReceived(b"".join(map(frame, range(1, 6))))
        self.assertEqual(self.origins(), [["a:1", "a:2"]])
        self.house.session.next_second()
        self.assertEqual(self.origins(), [["a:1", "a:2"], ["a:3", "a:4"]])

    def test_more_in_flight_than_may_be_is_a_breach(self) -> None:
        self.connect(frames_in_flight=2)
        self.connection.dataReceived(frame(1) + frame(2) + frame(3))
        self.assertEqual(self.origins(), [["a:1", "a:2"]])
        self.assertIn(b"error too_many_in_flight", self.transport.value())
