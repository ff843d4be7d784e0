"""What `python -m bench query` asks of: its rows are those that passes make."""

from itertools import islice
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from bench.child import child
from bench.query_data import ACCOUNT, GRAPHS, YEAR_NODE, Data, bare_frame, hour_rows, name_of
from tests.threads import at_once
from timeseries.compaction import compact
from timeseries.memory import MemoryStore
from timeseries.store import DAY_MS, HOUR_MS, Level

END_MS = 1_795_003_200_000


class TestRows(SynchronousTestCase):
    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_are_bit_for_bit_those_of_a_pass_an_hour(self) -> None:
        store = MemoryStore(Clock())
        measured = list(islice(Data(END_MS, year_interval_ms=HOUR_MS // 6).year(), 15))
        frames = [bare_frame(each, list(GRAPHS)) for each in measured]
        self.done(store.write(frames))
        for hour in self.done(store.due_of(ACCOUNT, name_of(YEAR_NODE))):
            self.done(compact(store, at_once, hour))
        rows = list(hour_rows(measured, list(GRAPHS)))
        assert len(rows) == len(GRAPHS)
        for row in rows:
            assert row.place.level is Level.HOUR
            assert self.done(store.find([row.place])) == [row]


def test_the_day_has_half_an_hour_of_the_open_hour_and_the_fleet_a_month() -> None:
    data = Data(END_MS, fleet=20)
    day = list(data.day())
    assert (day[0].time_ms, len(day)) == (END_MS - DAY_MS, 8640 + 180)
    months = [list(data.month(node)) for node in (data.nodes()[0], data.nodes()[9], data.nodes()[10])]
    rows = [[each.row for each in month] for month in months]
    assert rows[0] == rows[1] != rows[2]


def test_the_process_that_answers_takes_its_commands(tmp_path: Path) -> None:
    with child("bench.query_server", str(tmp_path / "series")) as server:
        assert server.ask("beat", 0) == 1000
        assert server.ask("come", 7) == 7
        assert set(server.ask("serve")) == {"TimeSeries", "Live"}
