"""Waiting until what one Cassandra node was told is on its disk.

A single node answers before its commit log is synced (every 100 ms), so a crash right after the answer loses
the row. `Hold` therefore keeps every write for a while longer than the log's period, and then asks the node
for its generation, which goes up with each start: the same as before means that it lived through the sync.
"""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

HOLD_S = 1.0
GATHER_S = 0.05
"""Writes that end within this time are held together and cost one question."""


class Hold:
    """Holds writes for `hold_s` seconds; `generation` asks one node for (its name, its generation)."""

    def __init__(
        self, clock: IReactorTime, hold_s: float, generation: Callable[[], Awaitable[tuple[str, int]]]
    ) -> None:
        self._clock = clock
        self._hold_s = hold_s
        self._generation = generation
        self._generations: dict[str, int] = {}
        self._gathering: list[Deferred[None]] = []
        self.restarts = 0
        """How many starts of a known node were noticed; if it went up since a write began, write again."""

    async def look(self) -> None:
        """Ask a node for its generation; whatever asking raises comes through."""
        node, generation = await self._generation()
        if self._generations.setdefault(node, generation) != generation:
            self._generations[node] = generation
            self.restarts += 1

    async def settle(self) -> None:
        """Return when the log must have been synced and a node was asked since."""
        held: Deferred[None] = Deferred()
        self._gathering.append(held)
        if len(self._gathering) == 1:
            Deferred.fromCoroutine(self._settle_together())
        await held

    async def _settle_together(self) -> None:
        await deferLater(self._clock, GATHER_S)
        together, self._gathering = self._gathering, []
        await deferLater(self._clock, self._hold_s)
        try:
            await self.look()
        except Exception:  # noqa: BLE001 - whatever it was, those who wait must hear of it
            failure = Failure()
            for held in together:
                held.errback(failure)
        else:
            for held in together:
                held.callback(None)
