"""What passes bring to rollup rows: the slots of single hours, those of many series at once."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
import numpy as np

from timeseries.hour_bytes import from_bytes, to_bytes
from timeseries.rolling import Sheet
from timeseries.rollups import Slots


class HourPart(NamedTuple):
    """Metrics that have values in the same slots of an hour: of each slot how many after the first it is.

    `packed` is by `timeseries.hour_bytes`.
    """

    names: tuple[str, ...]
    slots: bytes
    packed: bytes


class Hours(msgspec.Struct, frozen=True, array_like=True):
    """Parts of several hours that are alike; `hours` ascend, and are counted from the epoch."""

    names: tuple[str, ...]
    slots: bytes
    hours: list[int]
    packed: list[bytes]

    def takes(self, part: HourPart) -> bool:
        """Whether the part is alike."""
        return self.names == part.names and self.slots == part.slots

    def plus(self, hour: int, packed: bytes) -> "Hours":
        """With an hour that is not there."""
        place = bisect_left(self.hours, hour)
        hours = [*self.hours[:place], hour, *self.hours[place:]]
        return Hours(self.names, self.slots, hours, [*self.packed[:place], packed, *self.packed[place:]])

    def less(self, hour: int) -> "Hours":
        """Without this hour, if it is there."""
        kept = [pair for pair in zip(self.hours, self.packed, strict=True) if pair[0] != hour]
        return Hours(self.names, self.slots, [each for each, _ in kept], [packed for _, packed in kept])

    def unpacked(self, of_hour: int, metrics: Collection[str] | None) -> Iterator[tuple[str, Slots]]:
        """The slots of all metrics, or of these, where so many slots are an hour.

        Raises ValueError and ZstdError.
        """
        wanted = [place for place, name in enumerate(self.names) if metrics is None or name in metrics]
        if not wanted:
            return
        counts, found = from_bytes(self.packed, len(self.slots), len(self.names), wanted)
        first_slots = np.array(self.hours) * of_hour
        slots = (first_slots[:, None] + np.frombuffer(self.slots, dtype=np.uint8)).ravel()
        for place, (kinds, (minimum, maximum, total)) in zip(wanted, found, strict=True):
            yield self.names[place], Slots(slots, minimum, maximum, total, counts, kinds)


def pack_hour(sheets: Iterable[Sheet], first_slot: int, series: int) -> list[list[HourPart]]:
    """Of each of so many series its slots of the hour that begins with `first_slot`."""
    found: list[list[HourPart]] = [[] for _ in range(series)]
    for sheet in sheets:
        slots = (sheet.slots.slots - first_slot).astype(np.uint8).tobytes()
        of_series = [
            (number, tuple(name for _, name in metrics))
            for number, metrics in groupby(sheet.metrics, itemgetter(0))
        ]
        ends = np.cumsum([len(names) for _, names in of_series]).tolist()
        for (number, names), packed in zip(of_series, to_bytes(sheet, ends), strict=True):
            found[number].append(HourPart(names, slots, packed))
    return found
