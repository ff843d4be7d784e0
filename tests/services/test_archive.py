import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.clock import after
from eventframework.errors import RetryLater
from picket.settings import Settings
from services.archive import MAX_SET_ASIDE, UNDER_WAY_BYTES, Archive
from services.turns import AGAIN_S
from statslib import Stats
from tests.services.bus import FakeBus
from tests.timeseries.hostile import ACCEPTED, REFUSED
from tests.timeseries.samples import ACCOUNT, NODE, frame
from timeseries.errors import StoreUnavailable
from timeseries.frames import MAX_FRAME_BYTES, Frame, decode_batch
from timeseries.memory import MemoryStore
from timeseries.store import DAY_MS


class SlowStore(MemoryStore):
    """Writes are durable when the test says so, by `answer`; those that begin while it is `away` fail."""

    durable: Deferred[None] | None = None
    away = False

    async def write(self, frames: Sequence[Frame]) -> None:
        away = self.away
        if self.durable:
            await after(self.durable)
        if away:
            raise StoreUnavailable("away")
        await super().write(frames)

    def answer(self) -> None:
        """To all that wait, and at once to those that come."""
        durable, self.durable = self.durable, None
        if durable:
            durable.callback(None)


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
        handled = self.bring(frame(1))
        self.assertNoResult(handled)
        self.store.answer()
        self.successResultOf(handled)

    def bring(self, one: Frame) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bus.bring(one))

    def test_a_store_that_is_away_makes_the_batch_come_again(self) -> None:
        self.store.away = True
        self.failureResultOf(self.bring(frame(1)), RetryLater)
        for name, count in (("write_failed", 1), ("write_pending", 0), ("write_s_count", 1)):
            assert self.count(name) == count
        assert self.stats.unready == "StoreUnavailable: away"
        self.store.away = False
        self.successResultOf(self.bring(frame(1)))
        assert self.stored() == [frame(1)]
        assert self.stats.unready == ""

    def test_while_the_store_is_away_one_batch_asks_it_and_the_others_only_wait(self) -> None:
        self.store.durable, self.store.away = Deferred(), True
        under_way = [self.bring(frame(number)) for number in range(3)]
        self.store.answer()
        for handled in under_way:
            self.failureResultOf(handled, RetryLater)
        self.store.durable, self.store.away = Deferred(), False
        asking = self.bring(frame(1))
        for number in range(3):
            later = self.failureResultOf(self.bring(frame(number)), RetryLater).value
            assert AGAIN_S[0] <= later.delay_s <= AGAIN_S[1]
        assert self.count("write_total") == 3 + 1
        self.store.answer()
        self.successResultOf(asking)
        self.successResultOf(self.bring(frame(2)))

    def test_a_batch_with_nothing_to_store_does_not_tell_whether_the_store_is_back(self) -> None:
        self.store.away = True
        self.failureResultOf(self.bring(frame(1)), RetryLater)
        self.result(self.bus.bring_body(b"no batch"))
        assert self.stats.unready == "StoreUnavailable: away"

    def test_no_more_is_decoded_and_written_at_a_time_than_there_is_room_for(self) -> None:
        self.store.durable = Deferred()
        fitting = UNDER_WAY_BYTES // MAX_FRAME_BYTES
        large = [frame(number, payload=bytes(MAX_FRAME_BYTES)) for number in range(fitting + 2)]
        handled = [self.bring(one) for one in large]
        assert self.count("write_pending") == fitting
        self.store.answer()
        for one in handled:
            self.successResultOf(one)
        assert self.count("write_total") == fitting + 2

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
