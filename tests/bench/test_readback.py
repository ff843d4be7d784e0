"""What counts as lost: an acknowledged frame that does not come back byte for byte."""

import zlib

from twisted.internet.task import Clock
from twisted.trial import unittest

from bench.fleet import Identity
from bench.readback import lost
from timeseries.frames import Frame
from timeseries.memory import MemoryStore

ACCOUNT, NODE = "a0123456789", "n0123456789"


def stored(seq: int, payload: bytes) -> Frame:
    return Frame(ACCOUNT, NODE, f"a:{seq}", seq * 10_000, seq * 10_000, payload)


def sent(seq: int, payload: bytes) -> Identity:
    return Identity(NODE, seq * 10_000, f"a:{seq}", zlib.crc32(payload))


class Lost(unittest.TestCase):
    async def test_nothing_is_lost_when_every_frame_comes_back(self) -> None:
        assert await self._lost([stored(1, b"one"), stored(2, b"two")]) == 0

    async def test_a_missing_frame_is_lost(self) -> None:
        assert await self._lost([stored(1, b"one")]) == 1

    async def test_an_altered_frame_is_lost(self) -> None:
        assert await self._lost([stored(1, b"one"), stored(2, b"twO")]) == 1

    async def _lost(self, frames: list[Frame]) -> int:
        store = MemoryStore(Clock())
        await store.open()
        await store.write(frames)
        return await lost(store, ACCOUNT, [sent(1, b"one"), sent(2, b"two")])
