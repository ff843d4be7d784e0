"""What the rest of the product takes for granted of the reactor."""

import socket
import struct
import sys
import time
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, ProcessDone
from twisted.internet.protocol import Factory, ProcessProtocol, Protocol
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time. The other end gets a reset instead of a goodbye."""


class Busy(Protocol):
    """Reads so slowly that a reset comes while data waits."""

    def dataReceived(self, data: bytes) -> None:
        time.sleep(0.02)

    def connectionLost(self, reason: Any = None) -> None:
        cast(Any, self.factory).lost.callback(reason.value)


class Ended(ProcessProtocol):
    def __init__(self) -> None:
        self.ended: Deferred[object] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        self.ended.callback(reason.value)


class ReactorTest(TestCase):
    timeout = 10

    async def test_a_connection_that_is_reset_while_data_waits_is_told_as_lost(self) -> None:
        factory: Any = Factory.forProtocol(Busy)
        factory.lost = Deferred()
        port: Any = cast(Any, reactor).listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        await deferToThread(self.send_and_reset, port.getHost().port)
        assert isinstance(await factory.lost, ConnectionLost)

    def send_and_reset(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"x" * 100_000)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    async def test_the_end_of_a_child_is_heard_of(self) -> None:
        child = Ended()
        cast(Any, reactor).spawnProcess(child, sys.executable, [sys.executable, "-c", "pass"])
        assert isinstance(await child.ended, ProcessDone)
