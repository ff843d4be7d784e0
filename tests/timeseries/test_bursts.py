"""What comes within a moment is written together, and everybody hears of the outcome."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.timeseries.samples import frame
from timeseries.bursts import BURST_BYTES, GATHER_S, Bursts
from timeseries.errors import StoreUnavailable
from timeseries.frames import Frame


class TestBursts(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.written: list[list[Frame]] = []
        self.ends: list[Deferred[None]] = []
        self.bursts = Bursts(self.clock, GATHER_S, self.write)

    async def write(self, frames: list[Frame]) -> None:
        self.written.append(frames)
        self.ends.append(Deferred())
        await self.ends[-1]

    def add(self, *frames: Frame) -> Deferred[None]:
        return Deferred.fromCoroutine(self.bursts.add(frames))

    def test_what_comes_within_a_moment_is_written_together_in_order(self) -> None:
        one, two, three = frame(1), frame(2), frame(3)
        first, second = self.add(one, two), self.add(three)
        self.clock.advance(GATHER_S / 2)
        assert self.written == []
        self.clock.advance(GATHER_S / 2)
        assert self.written == [[one, two, three]]
        self.assertNoResult(first)
        self.ends[0].callback(None)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_what_comes_later_is_another_burst_beside_it(self) -> None:
        self.add(frame(1))
        self.clock.advance(GATHER_S)
        later = self.add(frame(2))
        self.clock.advance(GATHER_S)
        assert self.written == [[frame(1)], [frame(2)]]
        self.ends[1].callback(None)
        self.successResultOf(later)

    def test_much_does_not_wait(self) -> None:
        self.add(frame(1))
        self.add(frame(2, payload=bytes(BURST_BYTES)))
        assert [len(burst) for burst in self.written] == [2]
        self.clock.advance(GATHER_S)
        assert len(self.written) == 1

    def test_a_failure_is_everybodys(self) -> None:
        both = self.add(frame(1)), self.add(frame(2))
        self.clock.advance(GATHER_S)
        self.ends[0].errback(StoreUnavailable("gone"))
        for one in both:
            self.failureResultOf(one, StoreUnavailable)

    def test_whoever_does_not_wait_any_more_keeps_no_other_from_it(self) -> None:
        first, second = self.add(frame(1)), self.add(frame(2))
        first.addErrback(lambda _: None).cancel()
        self.clock.advance(GATHER_S)
        self.ends[0].callback(None)
        self.successResultOf(second)

    def test_it_can_begin_at_once(self) -> None:
        self.add(frame(1))
        self.bursts.begin()
        assert self.written == [[frame(1)]]
        assert self.clock.getDelayedCalls() == []
