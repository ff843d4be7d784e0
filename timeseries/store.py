"""The interface of a time-series store; `cassandra`, `embedded` and `memory` are its drivers.

Every method is keyed by account first, so that reading across accounts is impossible by construction.

A store keeps *frames* as they came, and *rows* that compaction makes of them: of one check and key of a node,
one row an hour of raw columns, one a day of 5-minute rollups, one a month of 1-hour rollups (see `Level`). An
hour of a node is *due* from its first frame until a pass has taken in every frame of it.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from timeseries.errors import InvalidFrame
from timeseries.frames import MAX_FRAME_BYTES, Frame

T = TypeVar("T")

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FUTURE_MS = HOUR_MS
"""How far ahead of now a frame may be and still count as a node's latest; past it, the clock was wrong."""

LATEST_DAYS = 14
"""How far back `latest` looks at least; a store may look further."""

MAX_TIME_MS = 10**14
MAX_BACK_MS = 366 * DAY_MS
MAX_AHEAD_MS = 31 * DAY_MS
"""How far a frame's time may be from that of its arrival: what no setting of the gateway allows."""

MAX_NAME_CHARS = 200

SHARDS = 16
"""Parts of the work of compaction, by node; each is one instance's at a time."""


class Level(Enum):
    """What a row holds. The value names it in stores, so it never changes."""

    RAW = "raw"
    """An hour of every value: `timeseries.blocks`."""

    FIVE_MINUTES = "5m"
    """A day of 288 rollup slots: `timeseries.rollups`."""

    HOUR = "1h"
    """A month (UTC) of up to 744 rollup slots."""

    __hash__ = object.__hash__
    """Places are looked up by the thousand, and an enum's own hash is a call of Python."""

    def period(self, time_ms: int) -> int:
        """The start of the row that `time_ms` belongs to, in milliseconds."""
        if self is Level.HOUR:
            day = datetime.fromtimestamp(time_ms / 1000, UTC)
            return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp()) * 1000
        width_ms = HOUR_MS if self is Level.RAW else DAY_MS
        return time_ms // width_ms * width_ms


class SeriesKey(NamedTuple):
    """A check and key of a node; `account_id` comes first in every key there is."""

    account_id: str
    node_id: str
    check: str
    key: str


class Place(NamedTuple):
    """Where a row stands: `period_ms` is the start of its period."""

    series: SeriesKey
    level: Level
    period_ms: int


class Row(NamedTuple):
    """One row: `data` is what the module of its level encoded."""

    place: Place
    data: bytes


class Hour(NamedTuple):
    """An hour of a node that is due; `mark` is up to where a pass that begins now sees its frames."""

    account_id: str
    node_id: str
    start_ms: int
    mark: int


class Span(NamedTuple):
    """The rows of a series whose period began at start_ms <= period_ms < end_ms."""

    series: SeriesKey
    level: Level
    start_ms: int
    end_ms: int


class InThread(Protocol):
    """Runs `thd_function(*arguments)` in a thread and gives its result, e.g. `partial(deferToThread)`."""

    def __call__(self, thd_function: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """The function's result."""


NO_ACCOUNTS: Mapping[str, int] = MappingProxyType({})


class TimeSeriesStore(Protocol):
    """Keeps frames by (account, node, time, origin). Writing the same identity twice is writing it once."""

    async def open(self) -> None:
        """Make ready; raises StoreUnavailable, SchemaMismatch where a command has to be run first."""

    async def close(self) -> None:
        """Finish what is under way and let go of every resource."""

    async def write(self, frames: Sequence[Frame]) -> None:
        """Store all of `frames`, each of which passed `check_storable`; returns when each is durable.

        Raises StoreUnavailable if any may not be. Of two frames with one identity the last written stays.
        """

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """The frames with start_ms <= time_ms < end_ms, in order of (time_ms, origin).

        Of an hour that is not due there may be none left: its rows have them.
        """

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """The frame with the greatest (time_ms, origin) that is not in the far future, or None."""

    async def due(self, shard: int, before_ms: int) -> list[Hour]:
        """The due hours of a shard's nodes that began before `before_ms`, in any order."""

    async def due_of(self, account_id: str, node_id: str) -> list[Hour]:
        """The due hours of a node, ascending; the newest may still be going on."""

    async def put(self, hour: Hour, rows: Sequence[Row]) -> None:
        """Keep what a pass made, all of it or nothing to be seen as done; each row replaces its former self.

        The hour is due no more, unless frames came that the pass did not see.
        """

    async def rows(self, series: SeriesKey, level: Level, start_ms: int, end_ms: int) -> list[Row]:
        """The rows whose period began at start_ms <= period_ms < end_ms, ascending."""

    async def rows_of(self, spans: Sequence[Span]) -> list[list[Row]]:
        """The rows of each span, ascending: what `rows` gives, in one call."""

    async def find(self, places: Sequence[Place]) -> list[Row]:
        """Those of these rows that there are, in any order."""

    async def keys(self, account_id: str, node_id: str) -> list[SeriesKey]:
        """Every check and key of the node that has rows, in order."""

    async def delete(self, account_id: str, node_id: str) -> None:
        """Forget every frame and row of a node."""

    async def expire(self, level: Level, before_ms: int, accounts: Mapping[str, int] = NO_ACCOUNTS) -> int:
        """Forget rows whose period began before; how many, or 0 where the store does so by itself.

        Of each of the `accounts` those that began before a time of its own.
        """


def shard_of(node_id: str) -> int:
    """The shard of a node, always the same."""
    return zlib.crc32(node_id.encode()) % SHARDS


def check_storable(frame: Frame) -> None:
    """Raise InvalidFrame unless every store can keep the frame: names, time and size within bounds."""
    if not 0 <= frame.time_ms < MAX_TIME_MS or not 0 <= frame.received_ms < MAX_TIME_MS:
        raise InvalidFrame("bad_time", f"time {frame.time_ms}, received {frame.received_ms} ms")
    if not -MAX_BACK_MS <= frame.time_ms - frame.received_ms <= MAX_AHEAD_MS:
        raise InvalidFrame("bad_time", f"time {frame.time_ms}, but received {frame.received_ms} ms")
    if not 0 < len(frame.account_id) <= MAX_NAME_CHARS or not 0 < len(frame.node_id) <= MAX_NAME_CHARS:
        raise InvalidFrame("bad_frame", "a frame without an account or a node, or with too long a name")
    if len(frame.origin) > MAX_NAME_CHARS or len(frame.payload) > MAX_FRAME_BYTES:
        raise InvalidFrame("frame_too_large", f"origin or payload ({len(frame.payload)} bytes) too long")
