from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.timeseries.samples import ACCOUNT, NODE, measured, result
from timeseries.decoded import DecodedHours
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

    def rows(self, decoded: DecodedHours, hour: int = 0, **fields: Any) -> int:
        due = self.successResultOf(Deferred.fromCoroutine(self.store.due_of(ACCOUNT, NODE)))
        found = decoded.columns(self.store, self.at_once, due[hour]._replace(**fields), WANTED)
        columns = self.successResultOf(Deferred.fromCoroutine(found))
        assert set(columns) == WANTED
        return len(columns["cpu", ""].times)

    def at_once(self, thd_function: Any, *arguments: Any) -> Any:
        return succeed(thd_function(*arguments))

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
