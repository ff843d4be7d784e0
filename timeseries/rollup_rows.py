"""Rollups as bytes at rest: slots without values take no room."""

from collections.abc import Collection

import msgspec
import numpy as np

from timeseries.errors import DamagedBlock
from timeseries.numbers import Pack, pack, unpack_floats, unpack_integers
from timeseries.rollups import Rollup, Slots
from timeseries.sealed import seal, unseal

KIND = b"R"


class PackedSlots(msgspec.Struct, frozen=True, array_like=True):
    """A metric's slots packed: `size` of them, these ones, or, most often, those of the metric before it."""

    name: str
    size: int
    slots: Pack | None
    minimum: Pack
    maximum: Pack
    total: Pack
    counts: Pack
    kinds: Pack


class PackedRollup(msgspec.Struct, frozen=True, array_like=True):
    """A Rollup packed."""

    width_ms: int
    metrics: list[PackedSlots]


_decoder = msgspec.msgpack.Decoder(PackedRollup)


def encode_rollup(rollup: Rollup) -> bytes:
    """The bytes of a rollup, the same for the same rollup."""
    before = [np.empty(0, dtype=np.int64), *(slots.slots for slots in rollup.metrics.values())]
    packed = [
        PackedSlots(
            name,
            len(slots.slots),
            None if np.array_equal(last, slots.slots) else pack(slots.slots),
            pack(slots.minimum),
            pack(slots.maximum),
            pack(slots.total),
            pack(slots.counts),
            pack(slots.kinds.astype(np.int64)),
        )
        for (name, slots), last in zip(rollup.metrics.items(), before, strict=False)
    ]
    return seal(KIND, PackedRollup(rollup.width_ms, packed))


def decode_rollup(sealed: bytes, metrics: Collection[str] | None = None) -> Rollup:
    """The rollup, or of its metrics only these; raises DamagedBlock."""
    packed = unseal(KIND, sealed, _decoder)
    try:
        return Rollup(packed.width_ms, _metrics(packed.metrics, metrics))
    except (RuntimeError, TypeError, ValueError) as error:
        raise DamagedBlock(f"a rollup whose checksum is right does not decode: {error!r}") from error


def _metrics(packed: list[PackedSlots], wanted: Collection[str] | None) -> dict[str, Slots]:
    found, last = {}, packed[0].slots if packed else None
    for each in packed:
        last = last if each.slots is None else each.slots
        if (wanted is None or each.name in wanted) and last is not None:
            found[each.name] = Slots(
                unpack_integers(last, each.size),
                unpack_floats(each.minimum, each.size),
                unpack_floats(each.maximum, each.size),
                unpack_floats(each.total, each.size),
                unpack_integers(each.counts, each.size),
                unpack_integers(each.kinds, each.size).astype(np.uint8),
            )
    return found
