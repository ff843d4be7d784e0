"""Due hours as columns: those that were asked for lately are kept, for as long as no frame comes."""

from collections.abc import Mapping, Set

from timeseries.collect import Which, collect
from timeseries.columns import Columns
from timeseries.store import HOUR_MS, Hour, InThread, TimeSeriesStore

Found = Mapping[Which, Columns]

MOST_VALUES = 2_000_000
"""Of all hours that are kept: some 40 MB."""


class DecodedHours:
    """Reads and decodes due hours, or remembers them: an hour to which a frame came has another mark."""

    def __init__(self, most_values: int = MOST_VALUES) -> None:
        self._most_values = most_values
        self._kept: dict[tuple[Hour, frozenset[Which]], Found] = {}
        self._values = 0

    async def columns(
        self, store: TimeSeriesStore, in_thread: InThread, hour: Hour, wanted: Set[Which]
    ) -> Found:
        """What the frames of the hour have of these checks and keys; raises StoreUnavailable."""
        key = hour, frozenset(wanted)
        if key not in self._kept:
            end_ms = hour.start_ms + HOUR_MS
            frames = await store.read(hour.account_id, hour.node_id, hour.start_ms, end_ms)
            found: Found = (await in_thread(collect, frames, wanted)).series
            if not hour.mark:  # Frames may come to it without another mark.
                return found
            self._forget(key)
            self._kept[key] = found
            self._values += _values(found)
        found = self._kept[key] = self._kept.pop(key)  # The last to be forgotten.
        while self._values > self._most_values:
            self._forget(next(iter(self._kept)))
        return found

    def _forget(self, key: tuple[Hour, frozenset[Which]]) -> None:
        self._values -= _values(self._kept.pop(key, {}))


def _values(found: Found) -> int:
    return sum(len(column.rows) for columns in found.values() for column in columns.metrics.values())
