"""Due hours as columns: those that were asked for lately are kept, and frames that come are added to them."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from timeseries.collect import Which, collect
from timeseries.columns import Columns, appended
from timeseries.frames import Frame
from timeseries.store import HOUR_MS, Hour, InThread, TimeSeriesStore

Found = Mapping[Which, Columns]

MOST_VALUES = 2_000_000
"""Of all hours that are kept: some 40 MB."""

Identity = tuple[int, str]
"""Time and origin of a frame."""


class _Known(NamedTuple):
    """What the first `frames` of an hour have, the last of which is `last`; `mark` was the hour's then."""

    mark: int
    frames: int
    last: Identity
    found: Found


NOTHING = _Known(0, 0, (0, ""), {})


class DecodedHours:
    """Reads and decodes due hours, or remembers them: an hour to which a frame came has another mark.

    Then the frames are read, and those decoded that are new; if any is older than one that was known, all.
    """

    def __init__(self, most_values: int = MOST_VALUES) -> None:
        self._most_values = most_values
        self._kept: dict[tuple[Hour, frozenset[Which]], _Known] = {}
        self._values = 0

    async def columns(
        self, store: TimeSeriesStore, in_thread: InThread, hour: Hour, wanted: Set[Which]
    ) -> Found:
        """What the frames of the hour have of these checks and keys; raises StoreUnavailable."""
        key = hour._replace(mark=0), frozenset(wanted)
        known = self._kept.get(key, NOTHING)
        if not hour.mark or known.mark != hour.mark:  # Without a mark, frames may have come to it.
            end_ms = hour.start_ms + HOUR_MS
            frames = await store.read(hour.account_id, hour.node_id, hour.start_ms, end_ms)
            known = await in_thread(thd_more, known._replace(mark=hour.mark), frames, wanted)
        self._keep(key, known)
        return known.found

    def _keep(self, key: tuple[Hour, frozenset[Which]], known: _Known) -> None:
        """As the last to be forgotten."""
        self._forget(key)
        self._kept[key] = known
        self._values += _values(known)
        while self._values > self._most_values:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[Hour, frozenset[Which]]) -> None:
        self._values -= _values(self._kept.pop(key, NOTHING))


def thd_more(known: _Known, frames: Sequence[Frame], wanted: Set[Which]) -> _Known:
    """What the frames have, which are in the order of their identities."""
    if not frames:
        return NOTHING
    if len(frames) < known.frames or _identity(frames[known.frames - 1]) != known.last:
        known = NOTHING._replace(mark=known.mark)
    found = dict(known.found)
    for which, columns in collect(frames[known.frames :], wanted).series.items():
        found[which] = appended(found[which], columns) if which in found else columns
    return _Known(known.mark, len(frames), _identity(frames[-1]), found)


def _identity(frame: Frame) -> Identity:
    return frame.time_ms, frame.origin


def _values(known: _Known) -> int:
    found = known.found.values()
    return sum(len(column.rows) for columns in found for column in columns.metrics.values())
