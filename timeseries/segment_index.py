"""Where each node's frames are in a segment, kept beside it so that a start need not read the segment.

The file is chunks one after the other, each of the records that came since the one before:

    length u32, little-endian | a sealed `Chunk`

It is never synced, for the segment has it all: what is missing at the end, or damaged, is found there.
"""

import os
import struct
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from twisted.logger import Logger

from timeseries.errors import DamagedBlock
from timeseries.sealed import seal, unseal

NodeKey = tuple[str, str]
"""(account_id, node_id)."""

Places = NDArray[np.int64]
"""Rows of (time_ms, offset, length), in the order of arrival."""

_LENGTH = struct.Struct("<I")


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """The records from `begin` to `end`: the `places` of each node in turn, and how many those are."""

    begin: int
    end: int
    nodes: list[NodeKey]
    counts: list[int]
    places: bytes


_chunks = msgspec.msgpack.Decoder(Chunk)


class SegmentIndex:
    """The index at `path`; `end` is how far into the segment it goes."""

    _log = Logger(namespace="timeseries.segment")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self._size = 0

    def thd_load(self, segment_bytes: int) -> dict[NodeKey, "array[int]"]:
        """The places of each node up to `end`, of a segment of that size."""
        parts: dict[NodeKey, array[int]] = {}
        for chunk in self._thd_chunks(segment_bytes):
            row = 3 * np.dtype(np.int64).itemsize
            begin = 0
            for key, count in zip(chunk.nodes, chunk.counts, strict=True):
                parts.setdefault(key, array("q")).frombytes(chunk.places[begin : begin + count * row])
                begin += count * row
        return parts

    def thd_add(self, places: Mapping[NodeKey, Places], end: int) -> None:
        """Add what of `places` lies between the former `end` and this one; where the disk refuses, log it."""
        new = {key: some[some[:, 1] >= self.end] for key, some in places.items()}
        new = {key: some for key, some in new.items() if len(some)}
        content = b"".join(some.tobytes() for some in new.values())
        chunk = Chunk(self.end, end, list(new), list(map(len, new.values())), content)
        sealed = seal(b"X", chunk)
        try:
            with os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(_LENGTH.pack(len(sealed)) + sealed)
        except OSError as error:
            self._log.warn("{path} was not written: {error}", path=self.path, error=error)
            return
        self._size += _LENGTH.size + len(sealed)
        self.end = end

    def _thd_chunks(self, segment_bytes: int) -> Iterator[Chunk]:
        """Those that follow each other and tell of records that there are."""
        data = self.path.read_bytes() if self.path.exists() else b""
        while len(data) - self._size > _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, self._size)
            after = self._size + _LENGTH.size + length
            try:
                chunk = unseal(b"X", data[self._size + _LENGTH.size : after], _chunks)
            except DamagedBlock:
                return
            if chunk.begin != self.end or chunk.end > segment_bytes:
                return
            self._size, self.end = after, chunk.end
            yield chunk
