"""The interface of a time-series store; `cassandra`, `sqlite` and `memory` are its drivers.

Every method is keyed by account first, so that reading across accounts is impossible by construction.
"""

from collections.abc import Sequence
from typing import Protocol

from timeseries.frames import Frame


class TimeSeriesStore(Protocol):
    """Keeps frames by (account, node, time, origin). Writing the same identity twice is writing it once."""

    async def open(self) -> None:
        """Connect and make the schema if it is not there; raises StoreUnavailable."""

    async def close(self) -> None:
        """Finish what is under way and let go of every resource."""

    async def write(self, frames: Sequence[Frame]) -> None:
        """Store all of `frames`; returns when each is durable, raises StoreUnavailable if any may not be."""

    async def read(self, account_id: str, node_id: str, start_ms: int, end_ms: int) -> list[Frame]:
        """The frames with start_ms <= time_ms < end_ms, in order of (time_ms, origin)."""

    async def latest(self, account_id: str, node_id: str) -> Frame | None:
        """The frame with the greatest (time_ms, origin) that is not in the far future, or None."""
