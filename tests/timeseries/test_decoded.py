"""Due hours stay decoded while they are asked for, and are as right as if they were decoded anew."""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

import timeseries.decoded
from tests.threads import at_once
from tests.timeseries.samples import ACCOUNT, NODE, measured, result
from tests.timeseries.series import plain
from timeseries.collect import collect
from timeseries.decoded import DecodedHours, Found
from timeseries.frames import Frame
from timeseries.memory import MemoryStore
from timeseries.store import HOUR_MS

START = 1_795_003_200_000
WANTED = {("cpu", "")}


class CountingStore(MemoryStore):
    reads = 0

    async def read(self, *where: Any) -> Any:
        self.reads += 1
        return await super().read(*where)


class TestDecodedHours(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = CountingStore(Clock())
        self.write(0)

    def write(self, after_ms: int) -> None:
        frame = measured(START + after_ms, result(user=1), result("mem", used=2))
        self.successResultOf(Deferred.fromCoroutine(self.store.write([frame])))

    def columns(self, decoded: DecodedHours, hour: int = 0, **fields: Any) -> Found:
        due = self.successResultOf(Deferred.fromCoroutine(self.store.due_of(ACCOUNT, NODE)))
        found = decoded.columns(self.store, at_once, due[hour]._replace(**fields), WANTED)
        columns: Found = self.successResultOf(Deferred.fromCoroutine(found))
        assert set(columns) == WANTED
        return columns

    def rows(self, decoded: DecodedHours, hour: int = 0, **fields: Any) -> int:
        return len(self.columns(decoded, hour, **fields)["cpu", ""].times)

    def test_what_came_is_added_as_if_all_had_been_decoded_at_once(self) -> None:
        times = [10, 20, 20, 30, 5, 40, 50]
        users: list[Any] = [1.5, 2, "x", 2**70, 4, 5, 6]
        decoded = DecodedHours()
        for number, (after_ms, user) in enumerate(zip(times, users, strict=True)):
            odd: dict[str, Any] = {"idle": number} if number % 2 else {}
            frame = measured(START + after_ms, result(user=user, **odd), origin=f"a:{number}")
            self.successResultOf(Deferred.fromCoroutine(self.store.write([frame])))
            assert plain(self.columns(decoded)["cpu", ""]) == plain(self.columns(DecodedHours())["cpu", ""])

    def test_only_frames_that_are_new_are_decoded_unless_one_is_late(self) -> None:
        sizes: list[int] = []

        def counting(frames: list[Frame], only: Any) -> Any:
            sizes.append(len(frames))
            return collect(frames, only)

        self.patch(timeseries.decoded, "collect", counting)
        decoded = DecodedHours()
        for after_ms in (10, 20, 15, 30):
            self.write(after_ms)
            for mark in ({}, {"mark": 0}):
                self.columns(decoded, **mark)
        assert sizes == [2, 0, 1, 0, 4, 0, 1, 0]

    def test_an_hour_whose_frames_are_gone_but_for_a_late_one_has_that_one(self) -> None:
        decoded = DecodedHours()
        self.write(10)
        assert self.rows(decoded) == 2
        self.store._frames.clear()
        self.store._order.clear()
        self.write(20)
        assert self.rows(decoded) == 1

    def test_an_hour_is_read_once_and_again_when_a_frame_came(self) -> None:
        decoded = DecodedHours()
        assert [self.rows(decoded), self.rows(decoded), self.store.reads] == [1, 1, 1]
        self.write(5)
        assert [self.rows(decoded), self.store.reads] == [2, 2]

    def test_an_hour_whose_mark_tells_nothing_is_read_each_time(self) -> None:
        decoded = DecodedHours()
        for _ in range(2):
            self.rows(decoded, mark=0)
        assert self.store.reads == 2

    def test_the_hour_that_was_asked_for_least_lately_is_forgotten_first(self) -> None:
        self.write(HOUR_MS)
        self.write(2 * HOUR_MS)
        decoded = DecodedHours(most_values=2)
        for hour in (0, 1, 0, 2):
            self.rows(decoded, hour)
        assert self.store.reads == 3
        self.rows(decoded, 0)
        assert self.store.reads == 3
        self.rows(decoded, 1)
        assert self.store.reads == 4

    def test_what_is_too_much_is_not_kept(self) -> None:
        decoded = DecodedHours(most_values=0)
        assert [self.rows(decoded), self.rows(decoded), self.store.reads] == [1, 1, 2]
