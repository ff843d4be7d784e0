"""Bundles: rows of a node's series in one piece, of which each can be read alone.

The blocks of an hour of a node have the same frames, so they begin with the same times and origins. What a
row has in common with one before it, after their seals, is kept once. Rows are bytes here, no more.
"""

from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

import msgspec

from timeseries.errors import DamagedBlock
from timeseries.sealed import HEAD_BYTES

ALIKE_BYTES = 64
"""Rows that begin with the same so many bytes are looked at for more."""


class Part(NamedTuple):
    """Where a row is: its own bytes, and `shared` bytes that stand after the seal of the row at `leader`."""

    start: int
    end: int
    leader: int
    shared: int

    def of(self, data: bytes) -> bytes:
        """The row."""
        own = data[self.start : self.end]
        if not self.shared:
            return own
        begin = self.leader + HEAD_BYTES
        return own[:HEAD_BYTES] + data[begin : begin + self.shared] + own[HEAD_BYTES:]


class Members(msgspec.Struct, frozen=True, array_like=True):
    """The directory of a bundle: lists with the same row at each place.

    `leaders` are places, too: of the row that this one shares bytes with, or of itself.
    """

    numbers: list[int]
    sizes: list[int]
    leaders: list[int]
    shared: list[int]

    def part(self, number: int) -> Part | None:
        """Where this row is, if it is there."""
        try:
            place = self.numbers.index(number)
        except ValueError:
            return None
        start, leader = sum(self.sizes[:place]), sum(self.sizes[: self.leaders[place]])
        return Part(start, start + self.sizes[place], leader, self.shared[place])


class Bundle(NamedTuple):
    """A directory as bytes, and the rows' own bytes one after the other."""

    members: bytes
    data: bytes


_decoder = msgspec.msgpack.Decoder(Members)
_encoder = msgspec.msgpack.Encoder()


def pack(rows: Mapping[int, bytes]) -> Bundle:
    """Rows by their numbers."""
    numbers = sorted(rows)
    ordered = [rows[number] for number in numbers]
    first: dict[bytes, int] = {}
    beginnings = (row[HEAD_BYTES : HEAD_BYTES + ALIKE_BYTES] for row in ordered)
    leaders = [first.setdefault(beginning, place) for place, beginning in enumerate(beginnings)]
    shared = [
        _common(ordered[leader], row) if leader != place else 0
        for place, (leader, row) in enumerate(zip(leaders, ordered, strict=True))
    ]
    own = [row[:HEAD_BYTES] + row[HEAD_BYTES + same :] for row, same in zip(ordered, shared, strict=True)]
    members = Members(numbers, [len(each) for each in own], leaders, shared)
    return Bundle(_encoder.encode(members), b"".join(own))


def members_of(encoded: bytes) -> Members:
    """The directory of a bundle; raises DamagedBlock."""
    try:
        members = _decoder.decode(encoded)
    except msgspec.MsgspecError as error:
        raise DamagedBlock(f"a bundle's directory is damaged: {error}") from error
    if len({len(members.numbers), len(members.sizes), len(members.leaders), len(members.shared)}) != 1:
        raise DamagedBlock("a bundle's directory is damaged: its lists differ in length")
    return members


def unpack(bundle: Bundle) -> dict[int, bytes]:
    """All rows by their numbers; raises DamagedBlock."""
    members = members_of(bundle.members)
    ends = list(accumulate(members.sizes))
    starts = [0, *ends]
    try:
        leaders = [starts[leader] for leader in members.leaders]
    except IndexError as error:
        raise DamagedBlock(
            "a bundle's directory is damaged: rows share with others that are not there"
        ) from error
    parts = map(Part, starts, ends, leaders, members.shared)
    return {number: part.of(bundle.data) for number, part in zip(members.numbers, parts, strict=True)}


def _common(one: bytes, other: bytes) -> int:
    """How many bytes after their seals are the same in both."""
    low, high = HEAD_BYTES, max(min(len(one), len(other)), HEAD_BYTES) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low - HEAD_BYTES
