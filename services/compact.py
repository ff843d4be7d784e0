"""From frames to rows: a pass of every hour of a node that is over, and again when late frames have come.

The work is in shards, by node. Whoever finds a shard with due hours takes the shard's lease for a while, so
any number of instances share the work, and another takes over from one that dies. The lease is confirmed
before a pass writes: an instance that was held up finds out that it has lost it.

It forgets rows that are older than is kept, and all series of nodes that were deleted.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from eventframework import current
from eventframework.catalogue import NodeDeleted
from eventframework.errors import RetryLater
from eventframework.framework import Framework
from eventframework.policy import Policy
from eventframework.topology import Subscription
from picket.settings import Settings
from services.abreast import each
from services.base import Service
from services.paced import PacedThread
from services.passes import Interrupted, Passes
from services.periodic import Periodic
from services.rounds import Rounds
from services.threads import DjangoThreads
from statslib import Stats
from timeseries.deletion import delete_node
from timeseries.errors import StoreUnavailable
from timeseries.retention import kept
from timeseries.store import SHARDS, Level, TimeSeriesStore
from webapp.leases.holder import Claim, holder

EXPIRE_S = 600.0
SLICE_S = 30.0
"""How long a shard is worked at before others get their turn."""

LEASE_MS = 120_000
"""Confirmed before a pass writes, it is good for over a minute then, far longer than a store takes."""

DRAIN_S = 2.5
CONFIRMED_S = 10.0
"""How long it is not asked again."""

AGAIN_S = 30.0
SURE_S = 120.0
"""How long after a node was deleted nothing of it is on its way any more."""


class Compact(Service):
    """Makes rows and rollups of the frames of past hours, and forgets what is older than is kept."""

    name = "compact"
    subscriptions = (Subscription(NodeDeleted, Policy.SCOPED_ROUND_ROBIN, "compact"),)
    uses_django = True
    _log = Logger(namespace="services.compact")

    def __init__(
        self,
        *,
        reactor: Any,
        bus: Framework,
        store: TimeSeriesStore,
        threads: DjangoThreads,
        stats: Stats,
        settings: Settings,
    ) -> None:
        self._reactor, self._bus, self._store, self._threads = reactor, bus, store, threads
        self._stats, self._kept, me = stats, kept(settings.retention), holder(settings)
        self._claims = [Claim(f"{self.name}/{shard:02}", me, LEASE_MS) for shard in range(SHARDS)]
        asked = settings.compact
        self._places = DeferredSemaphore(asked.at_once)
        self._thread = PacedThread(reactor, self.name, asked.share)
        self._passes = Passes(
            reactor,
            store,
            self._thread.run,
            stats,
            after_s=asked.after_s,
            still_s=asked.every_s,
            at_once=asked.at_once,
        )
        self._rounds = Rounds(reactor, self._round, asked.every_s, self._log)
        self.parts = (Periodic(reactor, EXPIRE_S, self.expire, at_once=True),)

    async def setup(self) -> None:
        """Hear of nodes that are deleted."""
        (taken,) = self.subscriptions
        self._bus.subscribe(NodeDeleted, self.node_deleted, taken.policy, tag=taken.tag)
        self._thread.start()

    async def start(self) -> None:
        """Begin to look for due hours."""
        self._rounds.start()

    async def drain(self) -> None:
        """Finish the passes under way; one that takes long is cut off, and made again by whoever comes."""
        try:
            await self._rounds.stop(DRAIN_S)
        except Exception as error:  # noqa: BLE001 - what was cut off is still due
            self._log.info("a pass was cut off: {error!r}", error=error)

    async def stop(self) -> None:
        """Let what is being decoded finish."""
        self._thread.stop()

    async def expire(self) -> None:
        """Forget the rows of each level that are older than is kept, of the embedded store also segments."""
        now_ms = int(self._reactor.seconds() * 1000)
        for level in Level:
            accounts = {one: self._kept.of(one, now_ms).end_ms(level) for one in self._kept.accounts}
            before_ms = self._kept.usual._replace(now_ms=now_ms).end_ms(level)
            self._stats.increment("rows_expired", await self._store.expire(level, before_ms, accounts))

    async def node_deleted(self, event: NodeDeleted) -> None:
        """Delete its series, again until nothing is left, and once more when nothing can come any more."""
        try:
            gone = await delete_node(self._store, event.account_id, event.node_id)
        except StoreUnavailable as error:
            self._log.warn("{node} is not deleted yet: {error}", node=event.node_id, error=error)
            raise RetryLater(AGAIN_S) from error
        if not gone or self._reactor.seconds() < current().time_ms / 1000 + SURE_S:
            raise RetryLater(AGAIN_S)
        self._stats.increment("nodes_deleted")

    async def _round(self) -> bool:
        """Have a turn at each shard; whether the time was too short for one.

        If not, what came meanwhile waits: an hour whose late frames are just coming is not made with each.
        """
        return any(await each(random.sample(range(SHARDS), SHARDS), self._shard, self._places))

    async def _shard(self, shard: int) -> bool:
        """Make passes of the shard for a while, if it has due hours and is ours; whether time ran out."""
        if not await self._passes.look(shard) or self._rounds.stopping or not await self._take(shard):
            return False
        try:
            hours, over = await self._passes.look(shard), self._once_over()
            await self._passes.make(hours, self._confirming(shard), over)
            await self._passes.look(shard)
            return over()
        finally:
            await self._threads.run(self._claims[shard].thd_give_back)

    def _once_over(self) -> Callable[[], bool]:
        """Whether the time for a shard has passed, or the service is to stop."""
        until = self._reactor.seconds() + SLICE_S
        return lambda: self._rounds.stopping or self._reactor.seconds() >= until

    def _confirming(self, shard: int) -> Callable[[], Awaitable[None]]:
        """What raises Interrupted unless the lease is ours for long enough."""

        confirmed_s = self._reactor.seconds()

        async def confirm() -> None:
            nonlocal confirmed_s
            if 0 <= self._reactor.seconds() - confirmed_s < CONFIRMED_S:
                return
            try:
                ours = await self._take(shard)
            except Exception as error:
                raise Interrupted(f"whose shard {shard} is cannot be told: {error!r}") from error
            if not ours:
                raise Interrupted(f"another instance has taken shard {shard}")
            confirmed_s = self._reactor.seconds()

        return confirm

    async def _take(self, shard: int) -> bool:
        return await self._threads.run(self._claims[shard].thd_take)
