"""What an agent says and hears: hello, frames, acknowledgements. The connection beneath knows bytes only."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from agent.wire import ENCODINGS, Code, Message, WireError
from agent_gateway import hello
from agent_gateway.batcher import Batcher
from agent_gateway.connection import Connection
from picket import correlation
from picket.settings import Limits
from rpc import idl
from rpc.errors import Refused, Unavailable
from statslib import Stats
from timeseries.errors import InvalidFrame
from timeseries.frames import Bounds, Frame
from timeseries.layouts import Layouts, Read, Reader

DAY_MS = 86_400_000
ORIGIN = "a:"
"""What stands before an agent's SEQ in the origin of its frames."""

UNSUPPORTED = "this gateway speaks version 2 of the protocol; please install the agent picket-agent"


class Directory(Protocol):
    """What of the Directory interface is used. Both raise rpc.errors.Refused or Unavailable."""

    def hello(self, hello: idl.Hello) -> Awaitable[idl.Welcome]:
        """Who this agent is."""

    def assignments(self, account_id: str, node_id: str) -> Awaitable[list[idl.Assignment]]:
        """What it shall run."""


class House(Protocol):
    """What all sessions of a gateway share."""

    limits: Limits
    directory: Directory
    batcher: Batcher
    layouts: Layouts
    stats: Stats

    def now(self) -> float:
        """Seconds since the epoch."""

    def accepted(self, session: "Session") -> None:
        """The agent is known from now on."""

    def left(self, session: "Session", reason: str) -> None:
        """An accepted agent is gone."""


class Session:
    """One agent's session; `account_id` and `node_id` are empty until it is accepted."""

    def __init__(self, house: House, connection: Connection) -> None:
        self.connection = connection
        self.account_id = self.node_id = self.key = ""
        self._house = house
        self._in_flight = 0
        self._this_second = 0
        self._reader = Reader(house.layouts)
        self._bounds = Bounds(house.limits.metrics, house.limits.text_bytes)
        self._came_ms = 0
        self._came: list[Frame] = []
        self._counted = 0

    def received(self, message: Message) -> None:
        """One message of the agent; raises WireError."""
        command = message.command
        if command == "frame" and self.node_id:
            self._frame(message)
        elif command == "ping" and self.node_id:
            self.connection.send("pong", *message.words)
        elif command == "hello 1":
            raise WireError(Code.UNSUPPORTED_PROTOCOL, UNSUPPORTED)
        elif command == "hello 2" and not self.node_id:
            self._hello(message)
        elif not self.node_id:
            raise WireError(Code.HELLO_EXPECTED, f"{command} before hello")
        else:
            raise WireError(Code.NOT_YET, f"{command} was not asked for")

    def broken(self, error: WireError) -> None:
        """Refuse the frame that was too large, so that the agent doesn't send it for ever."""
        if error.code == Code.PAYLOAD_TOO_LARGE and error.words[0] == "frame":
            self._refuse(error.words[1], error.code, str(error))

    def lost(self, reason: str) -> None:
        """The connection is gone."""
        if self.node_id:
            self._house.left(self, reason)

    def paused(self) -> None:
        """Hand in the frames that came together."""
        if self._counted:
            self._house.stats.increment("frames_received", self._counted)
            self._counted = 0
        if self._came:
            frames, self._came = self._came, []
            self._house.batcher.add(frames, self)

    def safe(self, frames: Sequence[Frame]) -> None:
        """The broker has them: the agent may forget them."""
        self._in_flight -= len(frames)
        self._house.stats.increment("frames_acknowledged", len(frames))
        self.connection.send("ack", *[frame.origin.removeprefix(ORIGIN) for frame in frames])

    def next_second(self) -> None:
        """Frames are counted by the second; who had sent too many is read again."""
        self._this_second = 0
        self.connection.release("rate")

    def _hello(self, message: Message) -> None:
        try:
            said = hello.read(message.payload, self.connection.address)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise WireError(Code.BAD_HELLO, f"hello does not fit the schema: {error}") from error
        self.connection.hold("hello")
        Deferred.fromCoroutine(self._introduce(said))

    async def _introduce(self, said: idl.Hello) -> None:
        with correlation.scope(self.connection.id):
            try:
                await self._ask_directory(said)
            except Exception:  # noqa: BLE001 - one agent's trouble is no other's
                _log.failure("hello of {address} failed", address=self.connection.address)
                self.connection.close(Code.INTERNAL, "the gateway failed")

    async def _ask_directory(self, said: idl.Hello) -> None:
        try:
            welcome = await self._house.directory.hello(said)
            checks = await self._house.directory.assignments(welcome.account_id, welcome.node_id)
        except Refused as error:
            self._house.stats.increment("hellos_refused")
            self.connection.close(error.code, error.message)
        except Unavailable as error:
            self._house.stats.increment("hellos_unavailable")
            _log.warn("hello of {address}: {error}", address=self.connection.address, error=error)
            self.connection.close(Code.UNAVAILABLE, "try again later")
        else:
            self._welcome(welcome, said.key, checks)

    def _welcome(self, welcome: idl.Welcome, key: str, checks: list[idl.Assignment]) -> None:
        if self.connection.closing:
            return
        limits, now_ms = self._house.limits, int(self._house.now() * 1000)
        ping_s = max(1, int(limits.silence_s / 3))
        answer = hello.accepted(welcome, now_ms, ping_s, limits.frame_bytes, limits.frames_in_flight)
        self.account_id, self.node_id, self.key = welcome.account_id, welcome.node_id, key
        self.connection.accept()
        self.connection.send("accepted", payload=answer)
        self.connection.send("checks", payload=hello.checks(checks))
        self._house.accepted(self)
        self.connection.release("hello")

    def _frame(self, message: Message) -> None:
        seq, encoding = message.words
        if not (seq.isascii() and seq.isdigit()):
            raise WireError(Code.BAD_WORDS, "SEQ must be a number")
        if self._in_flight >= self._house.limits.frames_in_flight:
            raise WireError(Code.TOO_MANY_IN_FLIGHT, f"{self._in_flight} frames wait for their ack")
        self._count()
        if not self._came:
            self._came_ms = int(self._house.now() * 1000)
        try:
            found = self._read(message.payload, encoding)
        except InvalidFrame as error:
            self._refuse(seq, error.code, str(error))
            return
        self._in_flight += 1
        identity = self.account_id, self.node_id, f"{ORIGIN}{seq}", found.time
        self._came.append(Frame(*identity, self._came_ms, message.payload, found.layout))

    def _read(self, payload: bytes, encoding: str) -> Read:
        """What is in a frame that is good; raises InvalidFrame."""
        limits = self._house.limits
        if encoding not in ENCODINGS:
            raise InvalidFrame(Code.BAD_ENCODING, f"{encoding[:20]!r} is none of {', '.join(ENCODINGS)}")
        found = self._reader.read(payload, self._bounds)
        ahead_ms = found.time - self._came_ms
        if not (found.time > 0 and -limits.days_back * DAY_MS <= ahead_ms <= limits.days_ahead * DAY_MS):
            span = f"between {limits.days_back:g} days back and {limits.days_ahead:g} ahead"
            raise InvalidFrame(Code.BAD_TIME, f"its time {found.time} is not {span} of ours, {self._came_ms}")
        return found

    def _count(self) -> None:
        self._counted += 1
        self._this_second += 1
        if self._this_second >= self._house.limits.frames_per_s:
            self._house.stats.increment("frames_slowed")
            self.connection.hold("rate")

    def _refuse(self, seq: str, code: str, text: str) -> None:
        self._house.stats.increment("frames_refused")
        about = {"account": self.account_id, "node": self.node_id}
        _log.info("frame {seq} of {node} refused: {code} {text}", seq=seq, code=code, text=text, **about)
        self.connection.send("refused", seq, code, text[:200])


_log = Logger(namespace="gateway")
