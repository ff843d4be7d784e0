"""The embedded store's file. What every store promises is tested in tests/contract."""

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from timeseries.frames import Frame
from timeseries.sqlite import STATEMENT_ROWS, SqliteStore

FRAMES = 4 * STATEMENT_ROWS + 1
PAYLOAD = b"x" * 1000


class SqliteTest(TestCase):
    """A store in a file of the test's own."""

    async def test_usual_frames_take_little_more_room_on_disk_than_their_payloads(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, "series")
        store = SqliteStore(path, reactor)
        await store.open()
        await store.write([Frame("a1", "n1", f"a:{i}", i, i, PAYLOAD) for i in range(FRAMES)])
        kept = await store.read("a1", "n1", 0, FRAMES)
        await store.close()
        self.assertEqual([frame.time_ms for frame in kept], list(range(FRAMES)))
        size = path.stat().st_size  # noqa: ASYNC240 - nothing else waits for this loop
        self.assertLess(size / FRAMES, 1.5 * len(PAYLOAD))
