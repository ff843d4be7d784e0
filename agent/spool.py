"""Frames that the gateway hasn't acknowledged: on disk, and in memory while they aren't there.

Live frames are sent before the backlog. A frame keeps its SEQ when it is sent again, by a later run too.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from agent.journal import FAILURES, Entry, Journal

MOST_BYTES = 2 << 20
LIVE_BYTES = 256 << 10
RETRY_S = 10.0
CLOSE_S = 1.0
T = TypeVar("T")
log = logging.getLogger("agent.spool")


class Spool:
    """`open` comes first, then `run` keeps `journal` in step, in a thread of its own.

    A journal that fails is tried again every `retry_s`; until then up to `most_bytes` stay in memory and then
    the oldest goes. `dropped`, `refused` and `failures` count.
    """

    def __init__(
        self,
        journal: Journal,
        now_ms: Callable[[], int],
        *,
        most_bytes: int = MOST_BYTES,
        live_bytes: int = LIVE_BYTES,
        retry_s: float = RETRY_S,
    ) -> None:
        self.dropped = self.refused = self.failures = 0
        self._journal, self._now_ms = journal, now_ms
        self._most_bytes, self._most_live_bytes, self._retry_s = most_bytes, live_bytes, retry_s
        self._thread = ThreadPoolExecutor(1, "spool")
        self._next_seq = 0
        self._unsaved: dict[int, Entry] = {}
        self._bytes = 0
        self._gone: set[int] = set()
        self._queued: set[int] = set()
        self._live: deque[Entry] = deque()
        self._live_bytes = 0
        self._backlog: deque[Entry] = deque()
        self._loaded = self._live_from = 0
        self._broken = self._wanted = self._saving = False
        self._retry_at = 0.0
        self._changed, self._work = asyncio.Event(), asyncio.Event()

    def __len__(self) -> int:
        """How many frames are queued or on their way; more may be on disk."""
        return len(self._queued)

    async def open(self, first_seq: Callable[[int], int]) -> None:
        """Find what an earlier run left. `first_seq` is given its highest SEQ and says where to go on."""
        kept = await self._try(self._journal.thd_last_seq)
        self._next_seq = first_seq(kept or 0)
        self.rewind()

    def add(self, encoding: str, payload: bytes) -> None:
        """Keep a new frame."""
        entry = Entry(self._next_seq, encoding, payload)
        self._next_seq += 1
        self._unsaved[entry.seq] = entry
        self._bytes += len(payload)
        self._queued.add(entry.seq)
        self._live.append(entry)
        self._live_bytes += len(payload)
        self._bound()
        self._changed.set()
        self._work.set()

    def take(self) -> Entry | None:
        """The next frame to send on this connection."""
        while self._live:
            entry = self._live.popleft()
            self._live_bytes -= len(entry.payload)
            if entry.seq in self._queued:
                return entry
        while self._backlog:
            if (entry := self._backlog.popleft()).seq in self._queued:
                return entry
        self._wanted = self._loaded < self._live_from - 1
        if self._wanted:
            self._work.set()
        return None

    def forget(self, seq: int) -> None:
        """Let go of a frame, if it is still there."""
        if not self._settle(seq) or self._saving:
            self._gone.add(seq)
        self._queued.discard(seq)
        self._changed.set()
        self._work.set()

    def rewind(self) -> None:
        """A new connection: everything that is kept is to be sent, oldest first."""
        self._live.clear()
        self._backlog.clear()
        self._queued.clear()
        self._live_bytes = self._loaded = 0
        self._live_from = self._next_seq

    async def changed(self) -> None:
        """Wait until a frame came or went."""
        await self._changed.wait()
        self._changed.clear()

    async def run(self) -> None:
        """Bring the disk up to date whenever something changed, until cancelled."""
        while True:
            await self._work.wait()
            await self.step()

    async def step(self) -> None:
        """Bring the disk up to date once, and load backlog that was asked for."""
        self._work.clear()
        if (self._unsaved or self._gone) and asyncio.get_running_loop().time() >= self._retry_at:
            await self._save()
        if self._wanted:
            await self._load()

    async def close(self) -> bool:
        """Save what is not saved; whether the thread is through with it in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._save()
                if self._unsaved:
                    log.warning("%d frames are lost: the disk does not take them", len(self._unsaved))
                await self._try(self._journal.thd_close)
                self._thread.shutdown()
                return True
        return False

    def _bound(self) -> None:
        while self._live_bytes > self._most_live_bytes:
            entry = self._live.popleft()
            self._live_bytes -= len(entry.payload)
            self._queued.discard(entry.seq)
            self._live_from = entry.seq + 1
        while self._bytes > self._most_bytes:
            self.dropped += 1
            seq = next(iter(self._unsaved))
            self._settle(seq)
            self._queued.discard(seq)

    def _settle(self, seq: int) -> bool:
        entry = self._unsaved.pop(seq, None)
        if entry:
            self._bytes -= len(entry.payload)
        return entry is not None

    async def _save(self) -> None:
        entries, gone = list(self._unsaved.values()), set(self._gone)
        self._saving = True
        dropped = await self._try(self._journal.thd_save, entries, gone, self._now_ms())
        self._saving = False
        if dropped is None:
            self._retry_at = asyncio.get_running_loop().time() + self._retry_s
            return
        self._broken = False
        self.dropped += dropped
        self._gone -= gone
        for entry in entries:
            self._settle(entry.seq)

    async def _load(self) -> None:
        after, before = self._loaded, self._live_from
        found = await self._try(self._journal.thd_read, after, before) or []
        if self._loaded != after:  # rewound meanwhile
            self._work.set()
            return
        self._wanted = False
        self._loaded = found[-1].seq if found else before - 1
        unsaved = [entry for entry in self._unsaved.values() if after < entry.seq <= self._loaded]
        for seq, entry in sorted({entry.seq: entry for entry in (*found, *unsaved)}.items()):
            if seq not in self._queued and seq not in self._gone:
                self._queued.add(seq)
                self._backlog.append(entry)
        self._changed.set()

    async def _try(self, thd_call: Callable[..., T], *arguments: Any) -> T | None:
        """What the thread answers, or None when the disk fails; logged once until it takes frames again."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, thd_call, *arguments)
        except FAILURES as error:
            self.failures += 1
            if not self._broken:
                log.error("the spool cannot be kept on disk, and goes on in memory: %s", error)
            self._broken = True
            return None
