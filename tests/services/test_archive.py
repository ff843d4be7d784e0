import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from picket.settings import Settings
from services.archive import MAX_SET_ASIDE, Archive
from statslib import Stats
from tests.services.bus import FakeBus
from tests.timeseries.hostile import ACCEPTED, REFUSED
from tests.timeseries.samples import ACCOUNT, NODE, frame
from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame, decode_batch
from timeseries.memory import MemoryStore
from timeseries.store import DAY_MS


class SlowStore(MemoryStore):
    """Writes are durable when the test says so, through `durable`."""

    durable: Deferred[None] | None = None

    async def write(self, frames: Sequence[Frame]) -> None:
        if self.durable:
            await self.durable
        await super().write(frames)


class TestArchive(SynchronousTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.bus, self.store, self.stats = FakeBus(), SlowStore(Clock()), Stats("archive")
        settings = Settings.model_validate({"home": self.home})
        archive = Archive(bus=cast(Any, self.bus), store=self.store, stats=self.stats, settings=settings)
        self.result(archive.setup())

    def result(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def stored(self) -> list[Frame]:
        found: list[Frame] = self.result(self.store.read(ACCOUNT, NODE, 0, 10**14))
        return found

    def aside(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.home / "set_aside").iterdir()]

    def count(self, name: str) -> float:
        return {metric.name: metric.value for metric in self.stats.metrics()}.get(name, 0)

    def test_every_frame_of_a_batch_is_stored(self) -> None:
        frames = [frame(1), frame(2)]
        self.result(self.bus.bring(*frames))
        assert self.stored() == frames
        assert self.bus.tag == "archive"
        assert self.count("frames") == 2

    def test_a_batch_is_acknowledged_only_when_the_store_has_it(self) -> None:
        self.store.durable = Deferred()
        handled = Deferred.fromCoroutine(self.bus.bring(frame(1)))
        self.assertNoResult(handled)
        self.store.durable.callback(None)
        self.successResultOf(handled)

    def test_a_store_that_is_away_makes_the_batch_come_again(self) -> None:
        self.store.durable = Deferred()
        handled = Deferred.fromCoroutine(self.bus.bring(frame(1)))
        self.store.durable.errback(StoreUnavailable("away"))
        self.failureResultOf(handled, StoreUnavailable)
        assert (self.count("write_failed"), self.count("write_pending"), self.count("write_s_count")) == (
            1,
            0,
            1,
        )
        self.store.durable = None
        self.result(self.bus.bring(frame(1)))
        assert self.stored() == [frame(1)]

    def test_a_frame_that_cannot_be_stored_is_set_aside_and_the_others_are_stored(self) -> None:
        bad, good = frame(10**17), frame(5)
        self.result(self.bus.bring(bad, good))
        assert self.stored() == [good]
        assert [decode_batch(body) for body in self.aside()] == [[bad]]
        assert self.count("frames_set_aside") == 1

    def test_a_frame_of_ten_years_ago_or_ahead_is_set_aside(self) -> None:
        now_ms = 20_000 * DAY_MS
        for days in (-3650, 3650):
            self.result(self.bus.bring(frame(now_ms + days * DAY_MS, received_ms=now_ms)))
        assert (self.stored(), len(self.aside()), self.count("frames_set_aside")) == ([], 2, 2)

    def test_what_a_frame_has_inside_is_no_matter(self) -> None:
        now_ms = 20_000 * DAY_MS
        hostile = [of(now_ms) for of in (REFUSED | ACCEPTED).values()]
        frames = [frame(now_ms, f"a:{number}", payload) for number, payload in enumerate(hostile)]
        self.result(self.bus.bring(*frames))
        assert {one.payload for one in self.stored()} == set(hostile)

    def test_a_batch_that_is_none_is_set_aside_once_however_often_it_comes(self) -> None:
        for _ in range(2):
            self.result(self.bus.bring_body(b"no batch"))
        assert self.aside() == [b"no batch"]
        assert self.count("batches_set_aside") == 2

    def test_what_is_set_aside_cannot_fill_the_disk(self) -> None:
        for number in range(MAX_SET_ASIDE + 5):
            self.result(self.bus.bring_body(b"no batch %d" % number))
        assert len(self.aside()) == MAX_SET_ASIDE

    def test_an_empty_batch_is_nothing_to_do(self) -> None:
        self.result(self.bus.bring())
        assert self.count("write_total") == 0
