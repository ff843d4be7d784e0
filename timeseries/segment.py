"""One append-only file of frames, and where each node's are in it.

A record, little-endian; the checksum is of all that follows it:

    mark 4 bytes | crc32 u32 | time_ms i64 | received_ms i64
    | lengths of account, node, origin u16 each, of payload u32 | account | node | origin | payload

What a crash left half-written at the end is cut off when the file is opened again: it was never acknowledged.
A record that is damaged on the disk is skipped, and the next mark looked for.
"""

import mmap
import os
import struct
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
from deflate import crc32
from twisted.logger import Logger

from timeseries.frames import Frame, OfNode, runs
from timeseries.segment_index import NodeKey, Places, SegmentIndex
from timeseries.store import HOUR_MS

MARK = b"\x93PF1"
_HEAD = struct.Struct("<4sI")
_FIELDS = struct.Struct("<qqHHHI")
_LEAST = _HEAD.size + _FIELDS.size

Place = tuple[int, int, int]
"""Of a frame: its time_ms, and the offset and length of its record."""

Placed = tuple[NodeKey, list[Place]]
"""A node, and where frames of it are."""

OFFSET_BITS = 40
UNINDEXED_BYTES = 100_000_000
"""Past so many the index goes on; they are what a start after a kill has to read."""

NOWHERE: Places = np.empty((0, 3), dtype=np.int64)


class Segment:
    """The file at `path`, open; one thread appends while another may read."""

    _log = Logger(namespace="timeseries.segment")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.size = 0
        self._index = SegmentIndex(path.with_suffix(".index"))
        self._places: dict[NodeKey, array[int]] = {}
        self._thd_load()

    def thd_append(self, frames: Iterable[Frame]) -> list[Placed]:
        """Write them, on disk when it returns; raises OSError, and then none of them is in the file."""
        parts: list[bytes] = []
        placed: list[Placed] = []
        end = self.size
        for run in runs(frames):
            records, lengths = encode_run(run)
            parts += records
            places, end = _placed(run.frames, lengths, end)
            placed.append(((run.account_id, run.node_id), places))
        self._thd_write(b"".join(parts))
        self.size = end
        for key, places in placed:
            self._note(key, places)
        if self.size - self._index.end > UNINDEXED_BYTES:
            self.thd_index()
        return placed

    def _thd_write(self, data: bytes) -> None:
        try:
            _write_all(self._file, data, self.size)
            os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise

    def thd_index(self) -> None:
        """Write the index of what is not in it yet; in the thread that appends."""
        if self.size > self._index.end:
            self._index.thd_add({key: self.places(key) for key in self.nodes()}, self.size)

    def thd_remove(self) -> None:
        """Let go of the file, and remove it with its index."""
        self.close()
        self.path.unlink()
        self._index.path.unlink(missing_ok=True)

    @property
    def first_mark(self) -> int:
        """The mark of the first place here; those of later segments are greater, whatever their offset."""
        return int(self.path.stem) << OFFSET_BITS

    def hours(self, key: NodeKey) -> dict[int, int]:
        """The starts of the hours (ms) that a node has frames of, and the offset of the last of each."""
        places = self.places(key)[::-1]
        starts, last = np.unique(places[:, 0] // HOUR_MS * HOUR_MS, return_index=True)
        return dict(zip(starts.tolist(), places[last, 1].tolist(), strict=True))

    def nodes(self) -> list[NodeKey]:
        """Those that have frames here."""
        return list(self._places)

    def places(self, key: NodeKey) -> Places:
        """Where a node's frames are."""
        known = self._places.get(key)
        # A copy made in one step: numpy lets other threads run while it copies, and this array may grow.
        return NOWHERE if known is None else np.frombuffer(known.tobytes(), np.int64).reshape(-1, 3)

    def thd_read(self, places: Places) -> Iterator[Frame]:
        """The frames at these places; raises OSError where the disk does, and skips what it damaged."""
        for _, offset, length in places.tolist():
            frame = decode_record(os.pread(self._file, length, offset))
            if frame is None:
                self._log.error("{path}: the record at {offset} is damaged", path=self.path, offset=offset)
            else:
                yield frame

    def forget(self, key: NodeKey, up_to: int) -> None:
        """Know nothing more of the node's frames up to this offset; they stay in the file."""
        places = self.places(key)
        left = places[places[:, 1] > up_to]
        if len(left):
            self._places[key] = array("q", left.tobytes())
        else:
            self._places.pop(key, None)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _note(self, key: NodeKey, places: Iterable[Place]) -> None:
        known = self._places.get(key)
        if known is None:
            known = self._places[key] = array("q")
        # One step, so that another thread never sees half a row.
        known.extend(array("q", chain.from_iterable(places)))

    def _thd_load(self) -> None:
        """Find every record there is, and cut off what comes after the last."""
        found = os.fstat(self._file).st_size
        self._places = self._index.thd_load(found)
        self.size = self._index.end
        if found > self.size:
            with mmap.mmap(self._file, found, access=mmap.ACCESS_READ) as data:
                for key, place in _scan(data, self.size):
                    self._note(key, [place])
                    self.size = place[1] + place[2]
        if found > self.size:
            self._log.warn(
                "{path}: {bytes} bytes without a whole record cut off",
                path=self.path,
                bytes=found - self.size,
            )
            os.ftruncate(self._file, self.size)


def encode_run(run: OfNode) -> tuple[list[bytes], list[int]]:
    """Frames of one node as they stand in the file, in pieces, and the length of each record."""
    account, node = run.account_id.encode(), run.node_id.encode()
    names, lengths = account + node, []
    pieces: list[bytes] = []
    for frame in run.frames:
        origin, payload = frame.origin.encode(), frame.payload
        of_names = len(account), len(node), len(origin)
        rest = _FIELDS.pack(frame.time_ms, frame.received_ms, *of_names, len(payload)) + names + origin
        pieces += _HEAD.pack(MARK, crc32(payload, crc32(rest))), rest, payload
        lengths.append(_HEAD.size + len(rest) + len(payload))
    return pieces, lengths


def _placed(frames: Iterable[Frame], lengths: Iterable[int], begin: int) -> tuple[list[Place], int]:
    """Where records are that follow each other from `begin` on, and where they end."""
    places = []
    for frame, length in zip(frames, lengths, strict=True):
        places.append((frame.time_ms, begin, length))
        begin += length
    return places, begin


def decode_record(record: bytes) -> Frame | None:
    """The frame of a record, or None where it is not whole."""
    if len(record) < _LEAST or not _is_whole(record, 0, len(record)):
        return None
    time_ms, received_ms, *lengths = _FIELDS.unpack_from(record, _HEAD.size)
    parts, at = [], _LEAST
    for length in lengths:
        parts.append(record[at : at + length])
        at += length
    account, node, origin, payload = parts
    return Frame(account.decode(), node.decode(), origin.decode(), time_ms, received_ms, payload)


def _scan(data: mmap.mmap, begin: int) -> Iterator[tuple[NodeKey, Place]]:
    """Every whole record from `begin` on: whose it is, and (time_ms, offset, length)."""
    offset = data.find(MARK, begin)
    while 0 <= offset <= len(data) - _LEAST:
        time_ms, _, account, node, origin, payload = _FIELDS.unpack_from(data, offset + _HEAD.size)
        length = _LEAST + account + node + origin + payload
        if not _is_whole(data, offset, length):
            offset = data.find(MARK, offset + 1)
            continue
        names = data[offset + _LEAST : offset + _LEAST + account + node]
        yield (names[:account].decode(), names[account:].decode()), (time_ms, offset, length)
        offset = offset + length
        if data[offset : offset + len(MARK)] != MARK:
            offset = data.find(MARK, offset)


def _is_whole(data: bytes | mmap.mmap, offset: int, length: int) -> bool:
    mark, checksum = _HEAD.unpack_from(data, offset)
    if mark != MARK or offset + length > len(data):
        return False
    found = crc32(data[offset + _HEAD.size : offset + length])
    return found == int(checksum)


def _write_all(file: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written
