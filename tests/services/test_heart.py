import os
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.catalogue import Heartbeat
from eventframework.errors import PublishRefused
from services.heart import BEAT_S, FAREWELL_S, Heart
from statslib import Stats
from tests.services.bus import FakeBus


class HeartTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus = Clock(), FakeBus()
        self.clock.advance(1000)
        self.archive, self.web = Stats("archive"), Stats("web")
        self.heart = Heart(self.clock, cast(Any, self.bus), lambda: [self.archive, self.web])
        self.result(self.heart.start())

    def result(self, coroutine: Any) -> None:
        self.successResultOf(Deferred.fromCoroutine(coroutine))

    @property
    def beats(self) -> list[Heartbeat]:
        return cast(list[Heartbeat], self.bus.events)

    def test_every_owner_beats_at_once_and_every_ten_seconds(self) -> None:
        assert [beat.service for beat in self.beats] == ["archive", "web"]
        self.clock.pump([BEAT_S, BEAT_S])
        assert [beat.service for beat in self.beats] == ["archive", "web"] * 3
        first, last = self.beats[0], self.beats[-2]
        assert (first.started_ms, first.time_ms, last.time_ms) == (1_000_000, 1_000_000, 1_020_000)
        assert (first.instance, first.pid) == (last.instance, os.getpid())
        self.result(self.heart.stop())
        assert self.clock.getDelayedCalls() == []

    def test_a_beat_tells_how_its_owner_is(self) -> None:
        self.archive.unready = "no store"
        self.archive.gauge("results_p01_lag", lambda: 2)
        self.archive.gauge("results_lag", lambda: 7)
        self.archive.increase_operation("write")
        self.clock.advance(BEAT_S)
        beat, other = self.beats[-2:]
        assert (beat.state, beat.status, beat.lag, beat.pending) == ("err", "no store", 7, 1)
        assert (other.state, other.status, other.lag, other.pending) == ("ok", "up", 0, 0)

    def test_that_nobody_hears_it_is_no_error(self) -> None:
        self.bus.error = PublishRefused("nobody")
        self.clock.pump([BEAT_S, BEAT_S])
        assert self.archive.counters["heartbeats_unheard"] == 2

    def test_the_farewell_is_the_last_word(self) -> None:
        self.result(self.heart.farewell())
        self.clock.pump([BEAT_S, BEAT_S])
        assert [beat.state for beat in self.beats[2:]] == ["stopped", "stopped"]

    def test_a_broker_that_does_not_answer_cannot_keep_a_process_from_its_end(self) -> None:
        self.bus.publish = cast(Any, lambda _: Deferred())  # type: ignore[method-assign]
        leaving = Deferred.fromCoroutine(self.heart.farewell())
        self.assertNoResult(leaving)
        self.clock.advance(FAREWELL_S)
        self.successResultOf(leaving)
