"""The watchdog with a bus and threads of which the test is the other end: what it sees, and when."""

import os
import socket
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from eventframework.catalogue import Heartbeat
from eventframework.errors import BrokerUnavailable
from eventframework.policy import Policy
from picket.settings import Settings
from services import base
from services.heart import BEAT_S
from services.watchdog import COUNT_EVERY, DEAF_MS, LOOK_S, Watchdog
from statslib import Stats
from webapp.operations.judge import SILENT_MS, Key, Sight
from webapp.operations.watch import Change, Heard


class Bus:
    """Stands for a Framework."""

    def __init__(self) -> None:
        self.dead_letters = 0
        self.counted = 0
        self.error: Exception | None = None

    def subscribe(self, event: type, handler: Any, policy: Policy) -> None:
        assert (event, policy) == (Heartbeat, Policy.FANOUT)

    async def count_dead_letters(self) -> int:
        self.counted += 1
        if self.error:
            raise self.error
        return self.dead_letters


class Threads:
    """Keeps what it was asked to run, and answers `changes`."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Heard], Sight | None]] = []
        self.changes: list[Change] = []
        self.error: Exception | None = None
        self.left = False

    async def run(self, thd_function: Any, *arguments: Any) -> list[Change]:
        if thd_function.__name__ == "thd_give_back":
            self.left = True
            return []
        _claim, heard, sight = arguments
        self.asked.append((heard, sight))
        if self.error:
            raise self.error
        return self.changes


class WatchdogTest(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.bus, self.threads, self.stats = Clock(), Bus(), Threads(), Stats("watchdog")
        self.clock.advance(1_000_000)
        self.service = Watchdog(
            clock=self.clock,
            bus=cast(Any, self.bus),
            threads=cast(Any, self.threads),
            stats=self.stats,
            settings=Settings.model_validate({"watchdog": {"lag": 5}}),
            enabled=["archive", "watchdog"],
        )
        self.result(base.set_up(self.service))
        self.result(base.start(self.service))
        self.addCleanup(lambda: self.result(base.stop(self.service)))

    def result(self, coroutine: Any) -> None:
        self.successResultOf(Deferred.fromCoroutine(coroutine))

    def hear(self, service: str = "watchdog", pid: int = 0) -> Heartbeat:
        beat = Heartbeat(
            service=service,
            instance=f"i{pid}",
            host=socket.gethostname(),
            pid=pid or os.getpid(),
            started_ms=0,
            time_ms=0,
            state="ok",
            status="up",
            lag=0,
            pending=0,
        )
        self.result(self.service.hear(beat))
        return beat

    def look(self) -> Sight | None:
        self.clock.advance(LOOK_S)
        return self.threads.asked[-1][1]

    def now_ms(self) -> int:
        return round(self.clock.seconds() * 1000)

    def test_it_is_blind_until_its_own_heartbeat_comes_back(self) -> None:
        self.hear("archive", pid=7)
        self.hear("watchdog", pid=7)  # Another watchdog, in another process.
        assert self.look() is None
        self.hear()
        came_ms = self.now_ms()
        sight = self.look()
        assert sight
        assert (sight.since_ms, sight.now_ms) == (came_ms, came_ms + round(LOOK_S * 1000))
        assert (set(sight.enabled), sight.most_lag) == ({"archive", "watchdog", "gateway", "web"}, 5)

    def test_it_sees_on_while_its_heartbeats_come_and_is_blind_when_they_stay_away(self) -> None:
        self.hear()
        since_ms = self.now_ms()
        for _ in range(10):
            self.hear()
            sight = self.look()
            assert sight
            assert sight.since_ms == since_ms
        self.clock.pump([LOOK_S] * (DEAF_MS // round(LOOK_S * 1000) + 1))
        assert self.threads.asked[-1][1] is None
        self.hear()
        sight = self.look()
        assert sight
        assert sight.since_ms == self.now_ms() - round(LOOK_S * 1000)

    def test_after_it_was_held_up_itself_it_begins_to_count_anew(self) -> None:
        self.hear()
        self.look()
        self.clock.rightNow += 3600.0  # Stopped, and gone on: nothing ran meanwhile.
        assert self.look() is None
        self.hear()
        heard_ms = self.now_ms()
        sight = self.look()
        assert sight
        assert sight.since_ms == heard_ms

    def test_it_is_deaf_before_anybody_is_silent_for_it(self) -> None:
        assert DEAF_MS < SILENT_MS - BEAT_S * 1000

    def test_the_newest_heartbeat_of_each_instance_is_kept_once(self) -> None:
        self.hear("archive", pid=7)
        last, other = self.hear("archive", pid=7), self.hear("archive", pid=8)
        self.look()
        assert [heard.beat for heard in self.threads.asked[-1][0]] == [last, other]
        self.look()
        assert self.threads.asked[-1][0] == []

    def test_what_could_not_be_kept_is_kept_at_the_next_look(self) -> None:
        beat = self.hear("archive", pid=7)
        self.threads.error = OSError("database is away")
        self.look()
        self.threads.error = None
        self.look()
        assert [heard.beat for heard in self.threads.asked[-1][0]] == [beat]
        assert self.stats.counters["looks_failed"] == 1

    def test_one_that_stops_lets_another_go_on(self) -> None:
        self.result(base.stop(self.service))
        assert self.threads.left

    def test_dead_letters_are_counted_once_a_minute_and_unknown_while_the_broker_is_away(self) -> None:
        self.hear()
        self.bus.dead_letters = 3
        sight = self.look()
        assert sight
        assert sight.dead_letters == 3
        self.bus.error = BrokerUnavailable("away")
        for _ in range(COUNT_EVERY):
            self.hear()
            sight = self.look()
        assert sight
        assert (sight.dead_letters, self.bus.counted) == (None, 2)

    def test_a_problem_is_an_error_in_the_log_and_its_end_is_not(self) -> None:
        logged: list[Any] = []
        observer = cast(Any, logged.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        key = Key("archive", "", "dead")
        self.threads.changes = [Change(key, "no heartbeat", True)]
        self.look()
        self.threads.changes = [Change(key, "no heartbeat", False)]
        self.look()
        assert [(event["log_level"], event["service"]) for event in logged if "service" in event] == [
            (LogLevel.error, "archive"),
            (LogLevel.warn, "archive"),
        ]
        assert self.flushLoggedErrors() == []
