"""Who shares a group's partitions: each instance tells the others of itself, by the broker.

Announcements travel over a private queue of each instance: one that joins, the answers to it, one every few
seconds, and one that leaves. Who was silent for long is gone. What is heard in a burst is told once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from eventframework.broker import Broker, Consumer, Delivery
from eventframework.clock import Clock, stop_timer
from eventframework.errors import EventError
from eventframework.topology import MEMBERS, members_queue


@dataclass(frozen=True)
class Pace:
    """Seconds: between announcements, of silence until one is gone, until a change is acted upon.

    `look_s`: between two looks at how much waits.
    """

    announce_s: float = 2.0
    gone_s: float = 7.0
    settle_s: float = 0.2
    look_s: float = 10.0


PACE = Pace()


class Announcement(msgspec.Struct, frozen=True):
    """What a member says. Who joins is at the end of the line of each queue."""

    member: str
    word: Literal["joins", "stays", "leaves"]


_decoder = msgspec.json.Decoder(Announcement)
_encoder = msgspec.json.Encoder()

Changed = Callable[[frozenset[str], frozenset[str]], None]


class Members:
    """The group as seen by its member `me`; `changed` is called with all members and those who joined anew.

    `tick` is called at each announcement, while nothing has changed lately.
    """

    def __init__(
        self,
        group: str,
        me: str,
        broker: Broker,
        clock: Clock,
        pace: Pace,
        changed: Changed,
        tick: Callable[[], None],
    ) -> None:
        self.me = me
        self._group = group
        self._broker = broker
        self._clock = clock
        self._pace = pace
        self._changed = changed
        self._tick = tick
        self._heard_s: dict[str, float] = {}
        self._joined: set[str] = set()
        self._settling: object | None = None
        self._consumer: Consumer | None = None
        self._announcing = LoopingCall(self._announce)
        self._announcing.clock = clock  # type: ignore[assignment]
        self._log = Logger(namespace="eventframework")

    def listen(self) -> None:
        """Hear of the others, and of nobody after the end of a connection, until the next `join`."""
        self._consumer = self._broker.consume(members_queue(self._group), 100, self._take, self._deaf)

    def join(self) -> None:
        """Tell the others that this one has lined up, and go on telling them that it is there."""
        self._say("joins")
        self._change(self.me)
        if not self._announcing.running:
            self._announcing.start(self._pace.announce_s, now=False)

    async def leave(self) -> None:
        """Say goodbye."""
        self._deaf()
        if self._settling is not None:
            stop_timer(self._settling)
        self._say("leaves")
        if self._consumer is not None:
            await self._consumer.cancel()

    def _deaf(self) -> None:
        if self._announcing.running:
            self._announcing.stop()

    def _announce(self) -> None:
        self._say("stays")
        now_s = self._clock.seconds()
        silent = [one for one, heard_s in self._heard_s.items() if now_s - heard_s > self._pace.gone_s]
        for member in silent:
            self._forget(member)
        if self._settling is None:
            self._tick()

    def _take(self, delivery: Delivery) -> None:
        delivery.done()
        said = _decoder.decode(delivery.body)
        if said.member == self.me:
            return
        if said.word == "leaves":
            self._forget(said.member)
            return
        new = said.member not in self._heard_s
        self._heard_s[said.member] = self._clock.seconds()
        if said.word == "joins":
            self._say("stays")
            self._change(said.member)
        elif new:
            self._change()

    def _forget(self, member: str) -> None:
        if self._heard_s.pop(member, None) is not None:
            self._change()

    def _change(self, *joined: str) -> None:
        self._joined.update(joined)
        if self._settling is not None:
            stop_timer(self._settling)
        self._settling = self._clock.callLater(self._pace.settle_s, self._settled)

    def _settled(self) -> None:
        self._settling = None
        joined, self._joined = frozenset(self._joined), set()
        self._changed(frozenset({self.me, *self._heard_s}), joined)

    def _say(self, word: Literal["joins", "stays", "leaves"]) -> None:
        Deferred.fromCoroutine(self._publish(_encoder.encode(Announcement(self.me, word))))

    async def _publish(self, body: bytes) -> None:
        try:
            await self._broker.publish(MEMBERS, self._group, body)
        except EventError as error:
            self._log.debug("{group} was not told: {error}", group=self._group, error=error)
