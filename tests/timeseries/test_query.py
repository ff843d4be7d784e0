import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tests.threads import at_once
from tests.timeseries.samples import ACCOUNT, NODE, frame, measured, result
from timeseries.answer import Read, thd_answer
from timeseries.decoded import thd_more
from timeseries.embedded import EmbeddedStore
from timeseries.errors import InvalidQuery
from timeseries.latest import CheckState, Metric, latest_states
from timeseries.memory import MemoryStore
from timeseries.query import run_queries, run_query
from timeseries.question import (
    MAX_POINTS,
    MAX_QUERIES,
    MAX_RANGE_MS,
    MAX_RAW_MS,
    MAX_ROWS,
    Query,
    Series,
    level_of,
)
from timeseries.retention import Retention
from timeseries.stop import Stop, together
from timeseries.store import DAY_MS, HOUR_MS, Level

START = 1_795_000_000_000
RETENTION = Retention(START + 10 * DAY_MS)


def times(series: Series) -> list[int]:
    return [int(time) for time in np.frombuffer(series.times, "<i8")]


def values(column: bytes) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in np.frombuffer(column, "<f8")]


class TestRunQuery(SynchronousTestCase):
    def setUp(self) -> None:
        clock = Clock()
        clock.advance(START / 1000 + 10 * 86_400)
        self.store = MemoryStore(clock)

    def write(self, *frames: Any) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.store.write(frames)))

    def query(self, start: int = 0, end: int = DAY_MS, **asked: Any) -> Series:
        fields: dict[str, Any] = {"check": "cpu", "start_ms": START + start, "end_ms": START + end}
        query = Query(**fields | asked)
        coroutine = run_query(self.store, at_once, ACCOUNT, NODE, query, RETENTION)
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def write_steps(self, *steps: int) -> None:
        """A frame with user=step at each of these steps of 10 s."""
        self.write(*(measured(START + step * 10_000, result(user=step)) for step in steps))

    def test_a_metric_comes_back_with_its_times_and_values(self) -> None:
        self.write_steps(0, 1, 2)
        series = self.query()
        assert times(series) == [START, START + 10_000, START + 20_000]
        assert values(series.columns[0].values) == [0, 1, 2]
        assert series.resolution == "raw"

    def test_the_kind_tells_int_float_rate_and_text_apart(self) -> None:
        mixed = result(whole=1, part=0.5, speed=2, words="ready") | {"rates": ["speed"]}
        self.write(measured(START, mixed))
        kinds = {column.name: column.kind for column in self.query().columns}
        assert kinds == {"whole": "int", "part": "float", "speed": "gauge", "words": "string"}

    def test_only_the_check_key_and_metrics_asked_for_come_back(self) -> None:
        root, home = (
            {"check": "disk", "key": key, "metrics": {"used": 1, "free": 2}} for key in ("/", "/home")
        )
        self.write(measured(START, root, result(user=1)), measured(START + 1, home))
        series = self.query(check="disk", key="/home", metrics=["free"])
        assert times(series) == [START + 1]
        assert [column.name for column in series.columns] == ["free"]

    def test_a_metric_that_is_missing_at_a_time_is_a_gap(self) -> None:
        self.write(measured(START, result(user=1)), measured(START + 1, result(system=2, words="hot")))
        columns = {column.name: column for column in self.query().columns}
        assert values(columns["user"].values) == [1, None]
        assert values(columns["system"].values) == [None, 2]
        assert columns["words"].texts == ["", "hot"]

    def test_a_pause_gets_a_point_without_a_value_so_that_graphs_do_not_join_it(self) -> None:
        self.write_steps(0, 1, 2, 9, 10)
        series = self.query(end=200_000, max_points=100)
        assert times(series) == [START + step * 10_000 for step in (0, 1, 2, 3, 9, 10)]
        assert values(series.columns[0].values) == [0, 1, 2, None, 9, 10]

    def test_a_single_missed_interval_is_no_pause(self) -> None:
        self.write_steps(0, 1, 2, 4, 5)
        assert values(self.query(end=200_000, max_points=100).columns[0].values) == [0, 1, 2, 4, 5]

    def test_every_point_means_no_marks_of_pauses(self) -> None:
        self.write_steps(0, 1, 2, 9)
        assert values(self.query().columns[0].values) == [0, 1, 2, 9]

    def test_too_many_points_are_folded_into_mean_minimum_and_maximum(self) -> None:
        self.write_steps(*range(100))
        series = self.query(end=1_000_000, max_points=10)
        (column,) = series.columns
        assert series.resolution == "raw/100000"
        assert times(series) == [START + n * 100_000 for n in range(10)]
        assert values(column.values) == [n * 10 + 4.5 for n in range(10)]
        assert values(column.minimum) == [n * 10 for n in range(10)]
        assert values(column.maximum) == [n * 10 + 9 for n in range(10)]

    def test_a_folded_pause_is_one_point_without_a_value(self) -> None:
        self.write_steps(*range(20), *range(80, 100))
        series = self.query(end=1_000_000, max_points=10)
        assert times(series) == [START + n * 100_000 for n in (0, 1, 2, 8, 9)]
        for column in (series.columns[0].values, series.columns[0].minimum, series.columns[0].maximum):
            assert values(column)[2] is None

    def test_a_folded_text_is_the_last_of_its_point(self) -> None:
        self.write(*(measured(START + n * 1000, result(words=f"w{n}")) for n in range(10)))
        assert self.query(end=10_000, max_points=2).columns[0].texts == ["w4", "w9"]

    def test_a_range_of_several_days_is_read_whole(self) -> None:
        moments = [START + day * DAY_MS + 5 for day in range(4)]
        self.write(*(measured(moment, result(user=1)) for moment in moments))
        assert times(self.query(end=4 * DAY_MS)) == moments

    def test_a_frame_that_cannot_be_read_is_left_out(self) -> None:
        self.write(frame(START, payload=b"\xff"), measured(START + 1, result(user=1)))
        assert times(self.query()) == [START + 1]

    def test_a_metric_that_turns_from_number_to_text_on_another_day_is_text(self) -> None:
        self.write(measured(START, result(version=7)), measured(START + DAY_MS, result(version="8b")))
        (column,) = self.query(end=2 * DAY_MS).columns
        assert (column.kind, column.texts) == ("string", ["7", "8b"])

    def test_a_number_too_large_for_a_float_is_infinite(self) -> None:
        self.write(measured(START, result(user=1)), measured(START + 1, result(user=10**400)))
        column = self.query().columns[0]
        assert values(column.values) == [1, np.inf]

    def test_no_data_is_an_empty_series(self) -> None:
        series = self.query(end=60_000, max_points=10)
        assert (series.times, series.columns, series.resolution) == (b"", [], "raw")

    def test_a_query_that_no_data_could_answer_is_invalid(self) -> None:
        wrong = ({"end": 0}, {"end": -5}, {"end": MAX_RAW_MS + 1}, {"max_points": -1}, {"check": ""})
        for asked in wrong:
            query = Query(
                check=str(asked.get("check", "cpu")),
                start_ms=START,
                end_ms=START + int(asked.get("end", 5)),
                max_points=int(asked.get("max_points", 0)),
            )
            coroutine = run_query(self.store, at_once, ACCOUNT, NODE, query, RETENTION)
            self.failureResultOf(Deferred.fromCoroutine(coroutine), InvalidQuery)

    def test_the_latest_state_of_each_check_comes_from_its_own_newest_frame(self) -> None:
        warning = {"check": "mem", "state": "warn", "status": "tight", "metrics": {"used": 7}}
        self.write(measured(START, warning, result(user=1)), measured(START + 10_000, result(user=2.5)))
        states = self.successResultOf(
            Deferred.fromCoroutine(latest_states(self.store, at_once, ACCOUNT, NODE, START + 10 * DAY_MS))
        )
        cpu = [Metric("user", "float", "2.5")]
        mem = [Metric("used", "int", "7")]
        assert states == [
            CheckState(check="cpu", key="", state="ok", status="", time_ms=START + 10_000, metrics=cpu),
            CheckState(check="mem", key="", state="warn", status="tight", time_ms=START, metrics=mem),
        ]

    def test_many_checks_read_a_due_hour_once(self) -> None:
        self.write(measured(START, result(user=1), result("mem", used=2)))
        self.write(measured(START + 1, result("disk", free=3)))
        reads = Mock(wraps=self.store.read)
        queries = [Query(check=check, start_ms=START, end_ms=START + 2) for check in ("mem", "cpu", "none")]
        with patch.object(self.store, "read", reads):
            coroutine = run_queries(self.store, at_once, ACCOUNT, NODE, queries, RETENTION)
            found = self.successResultOf(Deferred.fromCoroutine(coroutine))
        assert reads.call_count == 1
        names = [[column.name for column in series.columns] for series in found]
        assert names == [["used"], ["user"], []]

    def test_too_many_queries_in_a_call_are_refused(self) -> None:
        queries = [Query(check="cpu", start_ms=START, end_ms=START + 1)] * (MAX_QUERIES + 1)
        coroutine = run_queries(self.store, at_once, ACCOUNT, NODE, queries, RETENTION)
        self.failureResultOf(Deferred.fromCoroutine(coroutine), InvalidQuery)

    def test_a_node_without_data_has_no_states(self) -> None:
        coroutine = latest_states(self.store, at_once, ACCOUNT, NODE, START + 10 * DAY_MS)
        assert self.successResultOf(Deferred.fromCoroutine(coroutine)) == []


class TestRowsOfAQuery(SynchronousTestCase):
    @given(
        length_ms=st.integers(1, MAX_RANGE_MS),
        age_ms=st.integers(0, MAX_RANGE_MS),
        max_points=st.integers(0, MAX_POINTS),
        days=st.lists(st.integers(1, 2000), min_size=3, max_size=3),
    )
    @settings(max_examples=300, deadline=None)
    def test_are_bounded_whatever_its_range(
        self, length_ms: int, age_ms: int, max_points: int, days: list[int]
    ) -> None:
        start_ms = START - age_ms
        length_ms = length_ms if max_points else min(length_ms, MAX_RAW_MS)
        query = Query(check="cpu", start_ms=start_ms, end_ms=start_ms + length_ms, max_points=max_points)
        level = level_of(query, Retention(START, *days))
        moments = range(level.period(start_ms), query.end_ms, DAY_MS if level is Level.HOUR else HOUR_MS)
        assert len({level.period(moment) for moment in moments}) <= MAX_ROWS


class TestACancelledQuery(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryStore(Clock())
        frames = [measured(START + hour * HOUR_MS, result(user=hour)) for hour in range(3)]
        self.successResultOf(Deferred.fromCoroutine(self.store.write(frames)))
        self.query = Query(check="cpu", start_ms=START, end_ms=START + 3 * HOUR_MS)

    def begin(self, in_thread: Any) -> Deferred[Series]:
        coroutine = run_query(self.store, in_thread, ACCOUNT, NODE, self.query, RETENTION)
        return Deferred.fromCoroutine(coroutine)

    def test_reads_no_more(self) -> None:
        waiting: Deferred[Any] = Deferred()
        reads = Mock(return_value=waiting)
        with patch.object(self.store, "read", reads):
            query = self.begin(at_once)
            query.cancel()
        self.failureResultOf(query, CancelledError)
        assert reads.call_count == 1

    def test_decodes_no_more_in_its_thread(self) -> None:
        work: list[Any] = []

        def later(thd_function: Any, *arguments: Any) -> Any:
            if thd_function is thd_more:
                return at_once(thd_function, *arguments)
            work.append((thd_function, arguments))
            return Deferred()

        query = self.begin(later)
        ((thd_function, arguments),) = work
        query.cancel()
        self.failureResultOf(query, CancelledError)
        with self.assertRaises(CancelledError):
            thd_function(*arguments)

    def test_ends_between_two_rows(self) -> None:
        stop = Stop()
        seen: list[bytes] = []

        def decode(block: bytes, *_: Any, **__: Any) -> None:
            seen.append(block)
            stop.told = True

        read = Read(self.query, Level.RAW, {START: b"1", START + HOUR_MS: b"2"}, {}, {})
        with patch("timeseries.answer.decode_block", decode), self.assertRaises(CancelledError):
            thd_answer(stop, [read])
        assert seen == [b"1"]


class TestTogether(SynchronousTestCase):
    def test_the_first_failure_is_raised_as_itself_and_ends_the_others(self) -> None:
        ended: list[str] = []

        async def waits() -> None:
            try:
                await Deferred()
            except CancelledError:
                ended.append("cancelled")
                raise

        async def fails() -> None:
            raise ZeroDivisionError

        self.failureResultOf(Deferred.fromCoroutine(together([waits(), fails()])), ZeroDivisionError)
        assert ended == ["cancelled"]


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
points = st.dictionaries(st.integers(0, 3 * DAY_MS - 1), numbers, max_size=30)


class TestWhatIsWrittenComesBack(TestCase):
    """For any times and numbers, in any order of writing, with resends."""

    async def check(self, store: Any, written: dict[int, float]) -> None:
        frames = [measured(START + time, result(user=value)) for time, value in written.items()]
        await store.write([*frames, *frames[::2]])
        query = Query(check="cpu", start_ms=START, end_ms=START + 3 * DAY_MS)
        series = await run_query(store, at_once, ACCOUNT, NODE, query, RETENTION)
        assert times(series) == [START + time for time in sorted(written)]
        found = values(series.columns[0].values) if series.columns else []
        assert found == [written[time] for time in sorted(written)]

    @given(points)
    @settings(max_examples=60, deadline=None)
    def test_from_memory(self, written: dict[int, float]) -> None:
        store = MemoryStore(Clock())
        self.successResultOf(Deferred.fromCoroutine(self.check(store, written)))

    async def test_from_the_embedded_store(self) -> None:
        examples: list[dict[int, float]] = []

        @given(points)
        @settings(max_examples=15, database=None)
        def collect(written: dict[int, float]) -> None:
            examples.append(written)

        collect()
        for written in examples:
            with tempfile.TemporaryDirectory() as folder:
                store = EmbeddedStore(Path(folder, "series"), reactor)
                await store.open()
                await self.check(store, written)
                await store.close()
