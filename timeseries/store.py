"""The interface of a time-series store; `cassandra`, `embedded` and `memory` are its drivers.

Every method is keyed by account first, so that reading across accounts is impossible by construction.
"""

from collections.abc import Sequence
from typing import Protocol

from timeseries.errors import InvalidFrame
from timeseries.frames import MAX_FRAME_BYTES, Frame

DAY_MS = 86_400_000
FUTURE_MS = 3_600_000
"""How far ahead of now a frame may be and still count as a node's latest; past it, the clock was wrong."""

LATEST_DAYS = 14
"""How far back `latest` looks at least; a store may look further."""

MAX_TIME_MS = 10**14
MAX_NAME_CHARS = 200


class TimeSeriesStore(Protocol):
    """Keeps frames by (account, node, time, origin). Writing the same identity twice is writing it once."""

    async def open(self) -> None:
        """Connect and make the schema if it is not there; raises StoreUnavailable."""

    async def close(self) -> None:
        """Finish what is under way and let go of every resource."""

    async def write(self, frames: Sequence[Frame]) -> None:
        """Store all of `frames`, each of which passed `check_storable`; returns when each is durable.

        Raises StoreUnavailable if any may not be. Of two frames with one identity the last written stays.
        """

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """The frames with start_ms <= time_ms < end_ms, in order of (time_ms, origin)."""

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """The frame with the greatest (time_ms, origin) that is not in the far future, or None."""


def check_storable(frame: Frame) -> None:
    """Raise InvalidFrame unless every store can keep the frame: names, time and size within bounds."""
    if not 0 <= frame.time_ms < MAX_TIME_MS or not 0 <= frame.received_ms < MAX_TIME_MS:
        raise InvalidFrame("bad_time", f"time {frame.time_ms}, received {frame.received_ms} ms")
    if not 0 < len(frame.account_id) <= MAX_NAME_CHARS or not 0 < len(frame.node_id) <= MAX_NAME_CHARS:
        raise InvalidFrame("bad_frame", "a frame without an account or a node, or with too long a name")
    if len(frame.origin) > MAX_NAME_CHARS or len(frame.payload) > MAX_FRAME_BYTES:
        raise InvalidFrame("frame_too_large", f"origin or payload ({len(frame.payload)} bytes) too long")
