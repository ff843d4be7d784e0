"""Batches: gathered by time and size, in order, again until confirmed, never more than the watermark."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from agent_gateway.batcher import BATCH_BYTES, GATHER_S, Batcher
from eventframework.errors import BrokerUnavailable
from eventframework.stream import Decoded
from statslib import Stats
from timeseries.frames import Frame, decode_batch, decode_runs


class Stream:
    """Two partitions, the second for the node n2, whose publishes the test answers."""

    partitions = 2

    def __init__(self) -> None:
        self.published: list[tuple[list[str], Deferred[None]]] = []

    def partition(self, node_id: str) -> int:
        return int(node_id == "n2")

    async def publish(self, _partition: int, body: bytes, decoded: Decoded | None = None) -> None:
        answer: Deferred[None] = Deferred()
        assert decoded == {decode_runs: decode_runs(body)}
        self.published.append(([frame.origin for frame in decode_batch(body)], answer))
        await answer

    @property
    def batches(self) -> list[list[str]]:
        return [origins for origins, _ in self.published]


def frame(origin: str, size: int = 10, node: str = "n1") -> Frame:
    return Frame("a1", node, origin, 1, 1, b"x" * size)


class BatcherTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.stream = Clock(), Stream()
        self.safe_origins: list[str] = []
        self.watched: list[bool] = []
        self.batcher = Batcher(self.clock, self.stream, Stats("g"), self.watched.append, 1_000_000)

    def safe(self, frames: Sequence[Frame]) -> None:
        self.safe_origins += [frame.origin for frame in frames]

    def add(self, *origins: str, size: int = 10) -> None:
        for origin in origins:
            self.batcher.add([frame(origin, size)], self)

    def test_frames_of_a_moment_travel_together_and_are_safe_when_confirmed(self) -> None:
        self.add("1", "2")
        self.assertEqual(self.stream.batches, [])
        self.clock.advance(GATHER_S)
        self.assertEqual((self.stream.batches, self.safe_origins), ([["1", "2"]], []))
        self.stream.published[0][1].callback(None)
        self.assertEqual(self.safe_origins, ["1", "2"])

    def test_batches_of_several_partitions_go_together_when_the_first_has_waited_enough(self) -> None:
        self.add("1")
        self.clock.advance(GATHER_S / 2)
        self.batcher.add([frame("2", node="n2")], self)
        self.assertEqual(self.stream.batches, [])
        self.clock.advance(GATHER_S / 2)
        self.assertEqual(self.stream.batches, [["1"], ["2"]])

    def test_frames_that_were_handed_in_together_stay_together(self) -> None:
        self.batcher.add([frame(f"{number}", BATCH_BYTES // 8) for number in range(9)], self)
        self.batcher.add([frame("9")], self)
        self.assertEqual(self.stream.batches, [[f"{number}" for number in range(9)]])
        self.stream.published[0][1].callback(None)
        self.assertEqual(self.safe_origins, [f"{number}" for number in range(9)])
        self.clock.advance(GATHER_S)
        self.assertEqual(self.stream.batches[1:], [["9"]])

    def test_what_comes_while_a_batch_is_under_way_is_gathered_too(self) -> None:
        self.add("1")
        self.clock.advance(GATHER_S)
        self.add("2")
        self.stream.published[0][1].callback(None)
        self.assertEqual(self.stream.batches, [["1"]])
        self.add("3")
        self.clock.advance(GATHER_S)
        self.assertEqual(self.stream.batches, [["1"], ["2", "3"]])

    def test_a_full_batch_waits_for_nobody_and_a_larger_frame_travels_alone(self) -> None:
        self.add("1")
        self.add("2", size=BATCH_BYTES + 1)
        self.assertEqual(self.stream.batches, [["1"]])
        self.stream.published[0][1].callback(None)
        self.assertEqual(self.stream.batches, [["1"], ["2"]])

    def test_a_batch_that_is_not_confirmed_is_published_again_before_later_ones(self) -> None:
        self.add("1")
        self.clock.advance(GATHER_S)
        self.add("2")
        self.stream.published[0][1].errback(BrokerUnavailable("away"))
        self.clock.advance(0.1)
        self.assertEqual(self.stream.batches, [["1"], ["1"]])
        self.assertEqual(self.safe_origins, [])
        self.stream.published[1][1].callback(None)
        self.clock.advance(GATHER_S)
        self.assertEqual((self.stream.batches[-1], self.safe_origins), (["2"], ["1"]))

    def test_too_much_waiting_is_told_and_so_is_its_end(self) -> None:
        self.add("1", "2", "3", size=400_000)
        self.assertEqual(self.watched, [True])
        for number in range(3):
            self.stream.published[number][1].callback(None)
        self.assertEqual(self.watched, [True, False])

    def test_a_drain_ends_when_everything_is_confirmed(self) -> None:
        self.add("1")
        draining = self.batcher.drain()
        self.assertNoResult(draining)
        self.stream.published[0][1].callback(None)
        self.successResultOf(draining)
        self.clock.advance(1)
