"""From the outbox to the broker: what Django has committed is published, then deleted.

Events of one entity go one after the other, many entities at a time. Whatever fails between the confirm and
the delete, the event is published again with the same id. An event that is refused although a service takes
its topic holds back those of its entity, and no others; one that no service takes is dropped and counted.

Of several instances one relays, by a lease in the database. It is woken by commits: of its own process by a
call, of others by a fan-out event, which may get lost; so it looks every second too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.logger import Logger

from eventframework.catalogue import EventsCommitted
from eventframework.clock import Reactor
from eventframework.errors import EventError, PublishRefused
from eventframework.framework import Framework
from eventframework.policy import Policy
from eventframework.topology import Subscription, Topology
from picket.settings import Settings
from services.abreast import all_ended
from services.base import Service
from services.rounds import Rounds
from services.threads import DjangoThreads
from statslib import Stats
from webapp.leases.holder import Claim, holder
from webapp.outbox import waking
from webapp.outbox.held import Held

if TYPE_CHECKING:
    from webapp.outbox.relay import Backlog, Row

LOOK_S = 1.0
MEASURE_S = 5.0
DRAIN_S = 2.0
LEASE_MS = 10_000
BATCH = 500


class Outbox(Service):
    """Publishes the events that Django has committed, and only then forgets them."""

    name = "outbox"
    subscriptions = (Subscription(EventsCommitted, Policy.FANOUT),)
    uses_django = True
    _log = Logger()

    def __init__(
        self,
        *,
        reactor: Reactor,
        bus: Framework,
        threads: DjangoThreads,
        stats: Stats,
        settings: Settings,
        topology: Topology,
    ) -> None:
        self._reactor, self._bus, self._threads, self._stats = reactor, bus, threads, stats
        self._claim = Claim(self.name, holder(settings), LEASE_MS)
        self._taken = {taken.event.topic for taken in topology.subscriptions if taken.queue.durable}
        self._held = Held(reactor)
        self._settled: list[int] = []
        self._pending, self._oldest_ms, self._measured = 0, 0, 0.0
        self._holds = False
        self._rounds = Rounds(reactor, self._round, LOOK_S, self._log)
        self._deaf: Callable[[], None] = lambda: None

    async def setup(self) -> None:
        """Hear of commits elsewhere, and of the broker's return."""
        self._bus.subscribe(EventsCommitted, self._hinted, Policy.FANOUT)
        self._bus.ready(self._broker_came)
        self._stats.gauge("pending", lambda: self._pending)
        self._stats.gauge("oldest_s", self._oldest_s)
        self._stats.gauge("holds_lease", lambda: self._holds)

    async def start(self) -> None:
        """Begin to relay, and hear of commits here."""
        self._deaf = waking.on_commit(lambda: self._reactor.callFromThread(self._wake))
        self._rounds.start()

    async def drain(self) -> None:
        """Finish what is being published, forget what has been, and let another instance go on."""
        self._deaf()
        try:
            await self._rounds.stop(DRAIN_S)
            await self._threads.run(_thd_leave, self._claim, self._settled)
        except Exception as error:  # noqa: BLE001 - what is left behind is published again
            self._log.warn("the outbox was not left in order: {error!r}", error=error)

    async def _round(self) -> bool:
        """Publish the oldest events; whether any was settled, so that there may be more."""
        entities: dict[str, list[Row]] = {}
        for row in await self._look():
            entities.setdefault(row.entity, []).append(row)
        await all_ended(self._relay(rows) for rows in entities.values())
        return bool(self._settled)

    async def _look(self) -> "list[Row]":
        """Forget what is settled; the next rows, or none while another instance has the lease."""
        now, settled = self._reactor.seconds(), self._settled
        measure = now - self._measured >= MEASURE_S
        rows, backlog = await self._threads.run(
            _thd_look, self._claim, settled, self._held.waiting(), measure
        )
        self._settled = []
        self._holds = rows is not None
        if not self._holds:
            self._pending = 0
        elif backlog:
            (self._pending, self._oldest_ms), self._measured = backlog, now
        return rows or []

    async def _relay(self, rows: "list[Row]") -> None:
        """Publish the rows of one entity, in their order, up to one that is refused."""
        for row in rows:
            if self._rounds.stopping:
                return
            try:
                await self._bus.relay(row.topic, row.body)
                self._stats.increment("published")
            except PublishRefused as error:
                if row.topic in self._taken:
                    self._hold(row, error)
                    return
                self._stats.increment("dropped")
                self._log.info("dropped, for no service takes it: {topic} of {entity}", **row._asdict())
            except EventError:
                self._stats.increment("failed")
                raise
            self._settled.append(row.id)
        self._held.release(rows[0].entity)

    def _hold(self, row: "Row", error: PublishRefused) -> None:
        self._stats.increment("failed")
        self._held.hold(row.entity)
        self._log.warn("{entity} waits: {topic}: {error}", entity=row.entity, topic=row.topic, error=error)

    def _wake(self) -> None:
        """There is something; who has no lease comes to it in its own time."""
        if self._holds:
            self._rounds.wake()

    async def _hinted(self, _: EventsCommitted) -> None:
        self._wake()

    async def _broker_came(self) -> None:
        self._rounds.retry()

    def _oldest_s(self) -> float:
        return max(0.0, self._reactor.seconds() - self._oldest_ms / 1000) if self._pending else 0.0


# Models can be imported once Django is set up, which is after this module is found; hence the late imports.


def _thd_look(
    claim: Claim, settled: list[int], held: list[str], measure: bool
) -> "tuple[list[Row] | None, Backlog | None]":
    from webapp.outbox import relay

    relay.thd_settle(settled)
    if not claim.thd_take():
        return None, None
    return relay.thd_oldest(BATCH, held), relay.thd_backlog() if measure else None


def _thd_leave(claim: Claim, settled: list[int]) -> None:
    from webapp.outbox.relay import thd_settle

    thd_settle(settled)
    claim.thd_give_back()
