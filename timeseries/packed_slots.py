"""Slots as few bytes as possible: what is at rest, however many slots of however many metrics it has.

What metrics share, their slots and counts, is there once; each has its kinds, most often a number, and what
`timeseries.extremes` makes of minimum, maximum and sum, each packed by `timeseries.numbers`.
"""

from collections.abc import Collection, Iterable, Iterator

import msgspec
import numpy as np

from timeseries.columns import Numbers, Rows
from timeseries.extremes import to_floats, to_integers
from timeseries.numbers import Pack, pack, pack_all, unpack_floats, unpack_integers
from timeseries.rolling import Sheet
from timeseries.rollups import Slots
from timeseries.scaling import POWERS, RAW, Integers, Places


class PackedMetric(msgspec.Struct, frozen=True, array_like=True):
    """A metric: its kinds, and its extremes, of so many decimal places; those that are RAW are floats."""

    name: str
    kinds: Pack
    places: int
    extremes: list[Pack]


class PackedTable(msgspec.Struct, frozen=True, array_like=True):
    """Metrics that have the same `size` slots, as many values in each; without gaps `slots` is the first."""

    size: int
    slots: Pack
    counts: Pack
    metrics: list[PackedMetric]


_packer = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[PackedTable])


def pack_slots(sheets: Iterable[Sheet]) -> bytes:
    """What `unpack_slots` makes the same slots of; all metrics are of one series."""
    return _packer.encode([_packed(sheet) for sheet in sheets])


def unpack_slots(packed: bytes, metrics: Collection[str] | None) -> Iterator[tuple[str, Slots]]:
    """All metrics, or what there is of these; raises what `numbers.unpack` does, and others."""
    for table in _decoder.decode(packed):
        wanted = [metric for metric in table.metrics if metrics is None or metric.name in metrics]
        if wanted:
            slots, counts = _slots(table), unpack_integers(table.counts, table.size)
            for metric in wanted:
                yield metric.name, _unpacked(metric, slots, counts)


def _packed(sheet: Sheet) -> PackedTable:
    slots, minimum, maximum, total, counts, kinds = sheet.slots
    places, integers = to_integers(np.stack((minimum, maximum, total), axis=1), counts[0])
    packed = iter(pack_all([*kinds.astype(np.int64), *_extremes(places, integers)]))
    of_kinds = [next(packed) for _ in sheet.metrics]
    metrics = [
        PackedMetric(name, its_kinds, its_places, [next(packed) for _ in range(3)])
        for (_, name), its_kinds, its_places in zip(sheet.metrics, of_kinds, places.tolist(), strict=True)
    ]
    run = slots[-1] - slots[0] + 1 == len(slots)
    return PackedTable(len(slots), int(slots[0]) if run else pack(slots), pack(counts[0]), metrics)


def _extremes(places: Places, integers: Integers) -> Iterator[Numbers]:
    for of_metric, of_places in zip(integers, places.tolist(), strict=True):
        yield from of_metric.view(np.float64) if of_places == RAW else of_metric


def _unpacked(metric: PackedMetric, slots: Rows, counts: Integers) -> Slots:
    size = len(slots)
    kinds = unpack_integers(metric.kinds, size).astype(np.uint8)
    if metric.places == RAW:
        minimum, maximum, total = (unpack_floats(each, size) for each in metric.extremes)
        return Slots(slots, minimum, maximum, total, counts, kinds)
    low, span, rest = (unpack_integers(each, size) for each in metric.extremes)
    minimum, maximum, total = to_floats(low, span, rest, POWERS[metric.places], counts)
    return Slots(slots, minimum, maximum, total, counts, kinds)


def _slots(table: PackedTable) -> Rows:
    if isinstance(table.slots, int):
        return np.arange(table.slots, table.slots + table.size)
    return unpack_integers(table.slots, table.size)
