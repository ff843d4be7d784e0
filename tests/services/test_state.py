from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.errors import BrokerUnavailable
from services import base
from services.state import LIMIT_MS, SWEEP_S, State
from statslib import Stats
from tests.services.bus import FakeBus
from tests.timeseries.samples import NODE, OTHER_NODE, frame
from timeseries.frames import Frame

LIMIT_S = LIMIT_MS / 1000


class TestPresenceOfData(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus = Clock(), FakeBus()
        self.clock.advance(1_000_000)
        service = State(bus=cast(Any, self.bus), clock=cast(Any, self.clock), stats=Stats("state"))
        for step in (base.set_up(service), base.start(service)):
            self.result(step)
        self.addCleanup(lambda: self.result(base.stop(service)))

    def result(self, coroutine: Any) -> None:
        self.successResultOf(Deferred.fromCoroutine(coroutine))

    def frame(self, ago_s: float = 0, node_id: str = NODE) -> Frame:
        received_ms = round((self.clock.seconds() - ago_s) * 1000)
        return frame(1, received_ms=received_ms, node_id=node_id)

    def bring(self, *frames: Frame, partition: int = 0) -> None:
        self.result(self.bus.bring(*frames, partition=partition))

    def pass_time(self, seconds: float, flowing: bool = True) -> None:
        """Sweeps happen; while the stream flows, each probe comes back at once."""
        for _ in range(round(seconds / SWEEP_S)):
            self.clock.advance(SWEEP_S)
            probes, self.bus.probes = self.bus.probes, []
            for partition, body in probes if flowing else ():
                self.result(self.bus.bring_body(body, partition))

    def told(self) -> list[tuple[str, str, str]]:
        return [(event.node_id, event.old, event.new) for event in cast(Any, self.bus.events)]

    def test_a_node_that_begins_to_send_is_present_once(self) -> None:
        self.bring(self.frame())
        self.bring(self.frame())
        assert self.told() == [(NODE, "unknown", "present")]

    def test_a_silent_node_is_absent_after_the_limit_and_not_before(self) -> None:
        self.bring(self.frame())
        self.pass_time(LIMIT_S)
        assert len(self.told()) == 1
        self.pass_time(SWEEP_S * 3)
        assert self.told()[1:] == [(NODE, "present", "absent")]

    def test_a_node_that_returns_is_present_again(self) -> None:
        self.bring(self.frame())
        self.pass_time(LIMIT_S * 2)
        self.bring(self.frame())
        assert self.told()[1:] == [(NODE, "present", "absent"), (NODE, "absent", "present")]

    def test_a_node_that_keeps_sending_stays_present_while_another_is_missed(self) -> None:
        self.bring(self.frame(), self.frame(node_id=OTHER_NODE))
        for _ in range(20):
            self.pass_time(SWEEP_S)
            self.bring(self.frame())
        assert self.told()[2:] == [(OTHER_NODE, "present", "absent")]

    def test_late_frames_of_a_node_that_is_connected_count_as_data(self) -> None:
        self.bring(self.frame())
        self.pass_time(LIMIT_S - 20)
        self.bring(self.frame())
        self.pass_time(LIMIT_S - 20)
        assert len(self.told()) == 1

    def test_nobody_is_absent_while_the_stream_brings_no_probe_back(self) -> None:
        self.bring(self.frame())
        self.pass_time(LIMIT_S * 5, flowing=False)
        assert len(self.told()) == 1

    def test_nobody_is_absent_while_the_broker_is_away(self) -> None:
        self.bring(self.frame())
        self.bus.error = BrokerUnavailable("away")
        self.pass_time(LIMIT_S * 5)
        self.bus.error = None
        self.pass_time(LIMIT_S - 20)
        assert len(self.told()) == 1

    def test_nobody_is_absent_while_batches_come_late(self) -> None:
        self.bring(self.frame(), self.frame(node_id=OTHER_NODE))
        for _ in range(20):
            self.pass_time(SWEEP_S)
            self.bring(self.frame(ago_s=60, node_id=OTHER_NODE))
        assert len(self.told()) == 2

    def test_a_partition_that_another_instance_has_taken_over_is_judged_here_no_more(self) -> None:
        self.bring(self.frame(), partition=3)
        self.bring(self.frame(node_id=OTHER_NODE), partition=4)
        cast(Any, self.bus.released)(3)
        self.pass_time(LIMIT_S * 2)
        assert self.told()[2:] == [(OTHER_NODE, "present", "absent")]

    def test_a_partition_that_is_released_during_a_sweep_is_judged_no_further(self) -> None:
        self.bring(self.frame(), self.frame(node_id=OTHER_NODE), partition=3)
        self.bus.on_event = lambda: cast(Any, self.bus.released)(3)
        self.pass_time(LIMIT_S * 2)
        assert [new for _, _, new in self.told()] == ["present", "present", "absent"]

    def test_nobody_is_absent_while_batches_are_dropped(self) -> None:
        self.bring(self.frame())
        for _ in range(20):
            self.pass_time(SWEEP_S)
            cast(Any, self.bus.missed)(0, 1)
        assert len(self.told()) == 1

    def test_a_node_that_stays_silent_after_a_stall_is_absent_in_the_end(self) -> None:
        self.bring(self.frame())
        self.pass_time(LIMIT_S * 2, flowing=False)
        self.pass_time(LIMIT_S * 2)
        assert self.told()[1:] == [(NODE, "present", "absent")]

    def test_a_stalled_partition_does_not_keep_others_from_being_judged(self) -> None:
        self.bring(self.frame(), partition=3)
        for _ in range(20):
            self.clock.advance(SWEEP_S)
            probes, self.bus.probes = self.bus.probes, []
            for partition, body in probes:
                if partition == 3:
                    self.result(self.bus.bring_body(body, partition))
            self.bring(self.frame(ago_s=LIMIT_S, node_id=OTHER_NODE), partition=4)
        assert (NODE, "present", "absent") in self.told()

    def test_a_change_that_could_not_be_told_is_told_later(self) -> None:
        self.bus.error = BrokerUnavailable("away")
        self.bring(self.frame())
        assert self.told() == []
        self.bus.error = None
        self.pass_time(SWEEP_S)
        self.bring(self.frame())
        assert self.told() == [(NODE, "unknown", "present")]

    def test_a_change_that_could_not_be_told_is_not_tried_with_every_frame(self) -> None:
        self.bus.error = BrokerUnavailable("away")
        self.bring(self.frame())
        self.bus.error = None
        self.bring(*[self.frame()] * 5)
        assert self.told() == []

    def test_a_batch_that_is_none_is_left_to_archive(self) -> None:
        self.result(self.bus.bring_body(b"no batch"))
        assert self.told() == []
