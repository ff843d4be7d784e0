"""Frames that the gateway hasn't acknowledged, in memory, up to a number of bytes; then the oldest goes.

Live frames are sent before the backlog. A frame keeps its SEQ when it is sent again.
"""

import asyncio
from collections import deque
from typing import NamedTuple

MOST_BYTES = 8 << 20


class Entry(NamedTuple):
    """A frame as it is sent."""

    seq: int
    encoding: str
    payload: bytes


class Spool:
    """`first_seq` must be above every SEQ that an earlier run of this agent has used."""

    def __init__(self, first_seq: int, most_bytes: int = MOST_BYTES) -> None:
        self.dropped = self.refused = 0
        self._next_seq = first_seq
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: dict[int, Entry] = {}
        self._live: deque[int] = deque()
        self._backlog: deque[int] = deque()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, encoding: str, payload: bytes) -> None:
        """Keep a new frame."""
        entry = Entry(self._next_seq, encoding, payload)
        self._next_seq += 1
        self._kept[entry.seq] = entry
        self._live.append(entry.seq)
        self._bytes += len(payload)
        while self._bytes > self._most_bytes:
            self.dropped += 1
            self.forget(next(iter(self._kept)))
        self._changed.set()

    def take(self) -> Entry | None:
        """The next frame to send on this connection."""
        for queue in (self._live, self._backlog):
            while queue:
                if entry := self._kept.get(queue.popleft()):
                    return entry
        return None

    def forget(self, seq: int) -> None:
        """Let go of a frame, if it is still there."""
        if entry := self._kept.pop(seq, None):
            self._bytes -= len(entry.payload)
        self._changed.set()

    def rewind(self) -> None:
        """A new connection: everything that is kept is to be sent, oldest first."""
        self._live.clear()
        self._backlog = deque(self._kept)

    async def changed(self) -> None:
        """Wait until a frame came or went."""
        await self._changed.wait()
        self._changed.clear()
