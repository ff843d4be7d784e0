"""The heartbeats of a process: one for each of its services, and for the gateway and the web, every 10 s.

They are told to whoever listens at the moment. That nobody does, or that the broker is away, is no error: who
listens notices the silence.
"""

import os
import socket
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred

from eventframework.catalogue import Heartbeat
from eventframework.clock import within
from eventframework.errors import BrokerUnavailable, EventError
from eventframework.framework import Framework
from services.periodic import Periodic
from statslib import Stats

BEAT_S = 10.0
FAREWELL_S = 0.5
STOPPED = "stopped"


class Heart(Periodic):
    """Tells how the owners of measures are, as `owners` returns them at each beat."""

    name = "heart"

    def __init__(self, clock: Any, bus: Framework, owners: Callable[[], Collection[Stats]]) -> None:
        super().__init__(clock, BEAT_S, self.beat, at_once=True)
        self._clock, self._bus, self._owners = clock, bus, owners
        self._started_ms = self._now_ms()
        self._host = socket.gethostname()
        self._instance = f"{self._host}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    async def beat(self) -> None:
        """One heartbeat for each owner."""
        for owner in self._owners():
            await self._tell(owner, "err" if owner.unready else "ok", owner.unready or "up")

    async def farewell(self) -> None:
        """Beat no more, and say that they end because they were told to."""
        await self.drain()
        told = Deferred.fromCoroutine(self._tell_of_the_end())
        with suppress(BrokerUnavailable):
            await within(self._clock, FAREWELL_S, told, "farewell")

    async def _tell_of_the_end(self) -> None:
        for owner in self._owners():
            await self._tell(owner, STOPPED, STOPPED)

    async def _tell(self, owner: Stats, state: str, status: str) -> None:
        event = Heartbeat(
            service=owner.name,
            instance=self._instance,
            host=self._host,
            pid=os.getpid(),
            started_ms=self._started_ms,
            time_ms=self._now_ms(),
            state=state,
            status=status,
            lag=lag(owner),
            pending=sum(work.pending for work in owner.operations.values()),
        )
        try:
            await self._bus.publish(event)
        except EventError:
            owner.increment("heartbeats_unheard")

    def _now_ms(self) -> int:
        now_s: float = self._clock.seconds()
        return round(now_s * 1000)


def lag(owner: Stats) -> int:
    """How many messages wait for it: the greatest of its gauges whose names end in `lag`."""
    waiting: list[int] = [int(value) for name, value in owner.gauges() if name.endswith("lag")]
    return max(waiting, default=0)
