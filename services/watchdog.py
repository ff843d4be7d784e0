"""Who watches the services: takes their heartbeats, and tells once when one is in trouble, and once when not.

The rules are those of `webapp.operations`. It judges only while it can hear: while its own heartbeat comes
back over the broker, and by what it has heard since it does. So a broker that is away, or a watchdog that was
stopped for a while, makes nobody dead. Of several instances one tells, by a lease in the database; what has
been told stays there, so that a watchdog that starts again does not tell it again.
"""

import os
import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from twisted.logger import Logger

from eventframework.catalogue import Heartbeat
from eventframework.clock import Clock
from eventframework.errors import EventError
from eventframework.framework import Framework
from eventframework.policy import Policy
from eventframework.topology import Subscription
from picket.settings import Settings
from services.base import Service
from services.periodic import Periodic
from services.threads import DjangoThreads
from statslib import Stats
from webapp.leases.holder import Claim, holder

if TYPE_CHECKING:
    from webapp.operations.judge import Sight
    from webapp.operations.watch import Change, Heard

LOOK_S = 5.0
DEAF_MS = 18_000
"""Without its own heartbeat for so long it has not heard the others either.

It is shorter than the silence that makes others dead by more than the time between two heartbeats: so
whatever holds the watchdog up makes it deaf before it makes anybody else silent.
"""

COUNT_EVERY = 12
"""Looks between two counts of dead letters: a minute."""

LEASE_MS = 30_000
ENTRANCES = ("gateway", "web")


class Watchdog(Service):
    """Finds dead, silent and lagging services and dead letters, and tells of them once."""

    name = "watchdog"
    subscriptions = (Subscription(Heartbeat, Policy.FANOUT),)
    uses_django = True
    _log = Logger()

    def __init__(
        self,
        *,
        clock: Clock,
        bus: Framework,
        threads: DjangoThreads,
        stats: Stats,
        settings: Settings,
        enabled: Collection[str],
    ) -> None:
        self._clock, self._bus, self._threads, self._stats = clock, bus, threads, stats
        self._enabled = frozenset(enabled) | frozenset(ENTRANCES)
        self._most_lag = settings.watchdog.lag
        self._me = socket.gethostname(), os.getpid()
        self._claim = Claim(self.name, holder(settings), LEASE_MS)
        self._heard: dict[tuple[str, str], Heard] = {}
        self._own_ms = self._since_ms = 0
        self._looks = 0
        self._dead_letters: int | None = None
        self.parts = (Periodic(clock, LOOK_S, self.look),)

    async def setup(self) -> None:
        """Hear every heartbeat."""
        self._bus.subscribe(Heartbeat, self.hear, Policy.FANOUT)
        self._stats.gauge("hears", self._hears)

    async def hear(self, beat: Heartbeat) -> None:
        """Keep the newest of each instance until the next look."""
        from webapp.operations.watch import Heard

        now_ms = self._now_ms()
        if beat.service == self.name and (beat.host, beat.pid) == self._me:
            if not self._hears():
                self._since_ms = now_ms
            self._own_ms = now_ms
        self._heard[beat.service, beat.instance] = Heard(beat, now_ms)
        self._stats.increment("heartbeats")

    async def look(self) -> None:
        """Keep what was heard, judge it if we can, and tell what has changed."""
        await self._count_dead_letters()
        heard, self._heard = self._heard, {}
        try:
            changes = await self._threads.run(_thd_look, self._claim, list(heard.values()), self._sight())
        except Exception as error:  # noqa: BLE001 - the database is away: the next look makes up for it
            self._heard = heard | self._heard
            self._stats.increment("looks_failed")
            self._log.warn("nothing was judged: {error!r}", error=error)
            return
        for change in changes:
            self._tell(change)

    async def stop(self) -> None:
        """Let another watchdog go on."""
        try:
            await self._threads.run(self._claim.thd_give_back)
        except Exception as error:  # noqa: BLE001 - then it goes on when the lease is over
            self._log.warn("the lease was not given back: {error!r}", error=error)

    def _tell(self, change: "Change") -> None:
        service, text = change.key.service, change.text
        instance = f" ({change.key.instance})" if change.key.instance else ""
        self._stats.increment("problems_begun" if change.is_problem else "problems_ended")
        if change.is_problem:
            self._log.error("{service}{instance}: {text}", service=service, instance=instance, text=text)
        else:
            said = "{service}{instance}: well again; it was: {text}"
            self._log.warn(said, service=service, instance=instance, text=text)

    def _sight(self) -> "Sight | None":
        from webapp.operations.judge import Sight

        if not self._hears():
            return None
        return Sight(self._now_ms(), self._since_ms, self._enabled, self._most_lag, self._dead_letters)

    def _hears(self) -> bool:
        return self._now_ms() - self._own_ms <= DEAF_MS

    async def _count_dead_letters(self) -> None:
        if self._looks % COUNT_EVERY == 0:
            try:
                self._dead_letters = await self._bus.count_dead_letters()
            except EventError as error:
                self._dead_letters = None
                self._log.info("dead letters were not counted: {error}", error=error)
        self._looks += 1

    def _now_ms(self) -> int:
        return round(self._clock.seconds() * 1000)


# Models can be imported once Django is set up, which is after this module is found; hence the late imports.


def _thd_look(claim: Claim, heard: "list[Heard]", sight: "Sight | None") -> "list[Change]":
    """Nothing, while another watchdog has the lease."""
    from webapp.operations.watch import thd_watch

    if not claim.thd_take():
        return []
    return thd_watch(heard, sight)
