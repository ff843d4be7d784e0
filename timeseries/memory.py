"""The in-memory twin of the stores: for tests, and for trying things out. Nothing outlives the process."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence

from twisted.internet.interfaces import IReactorTime

from timeseries.frames import Frame
from timeseries.store import FUTURE_MS

Identity = tuple[int, str]


class MemoryStore:
    """A TimeSeriesStore of dictionaries."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._frames: dict[tuple[str, str], dict[Identity, Frame]] = defaultdict(dict)
        self._order: dict[tuple[str, str], list[Identity]] = defaultdict(list)

    async def open(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to let go of; what was written stays."""

    async def write(self, frames: Sequence[Frame]) -> None:
        """As durable as memory is."""
        for frame in frames:
            node, identity = (frame.account_id, frame.node_id), (frame.time_ms, frame.origin)
            if identity not in self._frames[node]:
                insort(self._order[node], identity)
            self._frames[node][identity] = frame

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """In order of (time_ms, origin)."""
        node = account_id, node_id
        order = self._order[node]
        within = order[bisect_left(order, (start_ms, "")) : bisect_left(order, (end_ms, ""))]
        return [self._frames[node][identity] for identity in within]

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """However old it is."""
        node = account_id, node_id
        horizon_ms = round(self._clock.seconds() * 1000) + FUTURE_MS
        before = bisect_left(self._order[node], (horizon_ms, ""))
        return self._frames[node][self._order[node][before - 1]] if before else None
