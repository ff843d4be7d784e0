"""What one tag takes of a stream in one process: a lane for each queue, and no more than its share of them.

Every instance of a tag lines up at every queue, and the first in the line is its live consumer, so another
takes over at once when it dies. All know by `Members` who is there, and by `assign` who is to have which
partition. When that changes, whoever is not to have a partition steps back to the end of its line, those who
only wait before the one that works. That leaves the wanted one first. One that still gets what another is to
have (the line was formed anew when a connection broke) steps back at the next announcement.
"""

import uuid
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from eventframework.broker import Broker
from eventframework.clock import Clock, stop_timer
from eventframework.errors import BrokerUnavailable
from eventframework.lane import Lane, Taker
from eventframework.members import Members, Pace
from eventframework.policy import Share
from eventframework.shares import assign
from eventframework.topology import Tap
from statslib import Stats

WARN_S = 60.0
"""Drops are told once in this time."""


class Intake:
    """Consumes from now on; its measures are called `<stream>_<tag>_…`:

    dropped            counter: batches that full queues dropped before they were handled
    lag                gauge: batches that nobody has got yet, at the last look
    p00_lag, p01_lag   gauges: the same for each partition (SCOPED)
    owned              gauge: partitions of which this is the live consumer, idle ones left out (SCOPED)
    """

    def __init__(
        self, tap: Tap, taker: Taker, broker: Broker, clock: Clock, stats: Stats, pace: Pace
    ) -> None:
        self._clock = clock
        self._stats = stats
        self._pace = pace
        self._name = f"{tap.stream}_{tap.tag}"
        self._group = tap.group
        self._me = uuid.uuid4().hex[:12]
        self._taker = taker
        self._told_s = float("-inf")
        self._untold = 0
        self._left = False
        self._owners: list[str] = []
        self._timers: list[Any] = []
        self._members: Members | None = None
        self._looking = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._looking.clock = clock  # type: ignore[assignment]
        self._log = Logger(namespace="eventframework")
        told = replace(taker, released=self._tell_released, missed=self._tell_missed)
        queues = tap.queues(broker.partitions, broker.limits)
        self._lanes = [Lane(broker, clock, queue, told) for queue in queues]
        self._lag = [0] * len(queues)
        if tap.share is Share.SCOPED:
            self._members = Members(tap.group, self._me, broker, clock, pace, self._balance, self._tick)
            self._members.listen()
        self._measure()
        broker.connected(self._connected)

    async def leave(self, limit_s: float) -> None:
        """Give everything to others, once what was begun is finished or `limit_s` over."""
        self._left = True
        for timer in self._timers:
            stop_timer(timer)
        if self._looking.running:
            self._looking.stop()
        leaving = [lane.leave(limit_s) for lane in self._lanes]
        if self._members is not None:
            leaving.append(self._members.leave())
        await gatherResults([Deferred.fromCoroutine(one) for one in leaving])

    async def _connected(self) -> None:
        if self._left:
            return
        if self._members is not None:
            self._members.join()
        if not self._looking.running:
            self._looking.start(self._pace.look_s)

    def _balance(self, members: frozenset[str], joined: frozenset[str]) -> None:
        before, self._owners = self._owners, assign(self._group, members, len(self._lanes))
        for partition, owner in enumerate(self._owners):
            is_new = owner in joined or not before or owner != before[partition]
            if is_new and self._is_for_another(partition):
                self._step_back(partition)

    def _step_back(self, partition: int) -> None:
        delay_s = self._pace.settle_s if self._lanes[partition].owned else 0
        self._timers = [timer for timer in self._timers if timer.active()]
        self._timers.append(self._clock.callLater(delay_s, self._stepped_back, partition))

    def _stepped_back(self, partition: int) -> None:
        if self._is_for_another(partition):
            Deferred.fromCoroutine(self._lanes[partition].step_back())

    def _tick(self) -> None:
        if any(timer.active() for timer in self._timers):
            return
        for partition, lane in enumerate(self._lanes):
            if lane.owned and self._is_for_another(partition):
                self._stepped_back(partition)

    def _is_for_another(self, partition: int) -> bool:
        return bool(self._owners) and self._owners[partition] != self._me

    def _tell_released(self, partition: int) -> None:
        try:
            self._taker.released(partition)
        except Exception:  # noqa: BLE001 - the share goes to another all the same
            self._log.failure("{name}: not told of its release", name=self._name)

    def _tell_missed(self, partition: int, batches: int) -> None:
        self._stats.increment(f"{self._name}_dropped", batches)
        self._untold += batches
        if self._clock.seconds() - self._told_s > WARN_S:
            self._log.warn("{name} was behind: {n} batches were dropped", name=self._name, n=self._untold)
            self._told_s, self._untold = self._clock.seconds(), 0
        try:
            self._taker.missed(partition, batches)
        except Exception:  # noqa: BLE001 - what has come is handled all the same
            self._log.failure("{name}: not told what is missing", name=self._name)

    def _measure(self) -> None:
        self._stats.increment(f"{self._name}_dropped", 0)
        self._stats.gauge(f"{self._name}_lag", lambda: sum(self._lag))
        if self._members is None:
            return
        self._stats.gauge(f"{self._name}_owned", lambda: sum(lane.owned for lane in self._lanes))
        for partition in range(len(self._lanes)):
            self._stats.gauge(f"{self._name}_p{partition:02d}_lag", lambda at=partition: self._lag[at])  # type: ignore[misc]

    async def _look(self) -> None:
        try:
            for partition, lane in enumerate(self._lanes):
                self._lag[partition] = await lane.waiting()
        except BrokerUnavailable as error:
            self._log.debug("{name}: lag unknown: {error}", name=self._name, error=error)
