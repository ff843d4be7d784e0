"""Who is there: joins, goodbyes and silence, by a fake clock."""

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from eventframework.members import Members, Pace
from eventframework.memory import MemoryBroker

PACE = Pace(announce_s=2, gone_s=7, settle_s=0.2)
Told = tuple[set[str], set[str]]


class TestMembers(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = MemoryBroker(None, cast(Any, self.clock))
        self.done(self.broker.start())
        self.told: dict[str, list[Told]] = {}
        self.ticks: list[str] = []
        self.members: dict[str, Members] = {}

    def done(self, coroutine: Any) -> None:
        self.successResultOf(Deferred.fromCoroutine(coroutine))

    def join(self, *names: str) -> None:
        for name in names:
            told = self.told[name] = []

            def changed(members: frozenset[str], joined: frozenset[str], told: list[Told] = told) -> None:
                told.append((set(members), set(joined)))

            tick = lambda name=name: self.ticks.append(name)  # noqa: E731
            self.members[name] = Members("g", name, self.broker, self.clock, PACE, changed, tick)
            self.members[name].listen()
            self.members[name].join()

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)

    def test_all_know_each_other_soon_and_what_came_in_a_burst_is_told_once(self) -> None:
        self.join("a", "b", "c")
        self.pass_time(0.3)
        joined = {"a": {"a", "b", "c"}, "b": {"b", "c"}, "c": {"c"}}
        assert self.told == {name: [({"a", "b", "c"}, new)] for name, new in joined.items()}

    def test_nothing_is_told_while_nothing_changes_but_there_are_ticks(self) -> None:
        self.join("a", "b")
        self.pass_time(60)
        assert [len(told) for told in self.told.values()] == [1, 1]
        assert self.ticks.count("a") >= 29

    def test_who_says_goodbye_is_gone_at_once(self) -> None:
        self.join("a", "b")
        self.pass_time(1)
        self.done(self.members["b"].leave())
        self.pass_time(0.3)
        assert self.told["a"][1:] == [({"a"}, set())]

    def test_who_is_silent_is_gone_after_a_while_and_not_before(self) -> None:
        self.join("a", "b")
        self.pass_time(1)
        self.members["b"]._deaf()
        self.pass_time(6)
        assert len(self.told["a"]) == 1
        self.pass_time(4)
        assert self.told["a"][1:] == [({"a"}, set())]

    def test_who_joins_again_is_told_as_one_who_is_at_the_end_of_the_lines(self) -> None:
        self.join("a", "b")
        self.pass_time(1)
        self.members["b"].join()
        self.pass_time(0.3)
        assert self.told["a"][1:] == [({"a", "b"}, {"b"})]

    def test_whoever_left_has_no_timers(self) -> None:
        self.join("a")
        self.done(self.members["a"].leave())
        assert not self.clock.getDelayedCalls()
