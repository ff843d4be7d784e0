"""One metric of many nodes over time: each node counts once in a point, whatever it is read from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.threads import at_once
from tests.timeseries.samples import ACCOUNT, OTHER_ACCOUNT, measured, result
from timeseries import fleet
from timeseries.across import MAX_POINTS, Across, Spread, run_across
from timeseries.compaction import compact
from timeseries.decoded import DecodedHours
from timeseries.errors import InvalidQuery
from timeseries.memory import MemoryStore
from timeseries.retention import Retention
from timeseries.store import DAY_MS, HOUR_MS, Level

START = 1_795_996_800_000 - HOUR_MS
"""The last hour of a month (UTC)."""

MINUTE_MS = 60_000
NODES = ["n0", "n1", "n2", "n3"]
RETENTION = Retention(START)


class TestAcross(SynchronousTestCase):
    """Four nodes measure once a minute for two hours; node n has user=n, and 10n in the second hour."""

    def setUp(self) -> None:
        self.store = MemoryStore(Clock())
        for number, node_id in enumerate(NODES):
            self.write(node_id, dict.fromkeys(range(0, HOUR_MS, MINUTE_MS), number))
            self.write(node_id, dict.fromkeys(range(HOUR_MS, 2 * HOUR_MS, MINUTE_MS), 10 * number))

    def write(self, node_id: str, values: Mapping[int, float | str]) -> None:
        frames = [measured(START + at, result(user=to), node_id=node_id) for at, to in values.items()]
        self.done(self.store.write(frames))

    def compact(self) -> None:
        """Passes take in all frames, which go."""
        for node_id in NODES:
            for hour in self.done(self.store.due_of(ACCOUNT, node_id)):
                self.done(compact(self.store, at_once, hour))
        self.store._frames.clear()
        self.store._order.clear()

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    async def run_across(
        self, account_id: str = ACCOUNT, retention: Retention = RETENTION, **asked: Any
    ) -> Spread:
        usual: dict[str, Any] = {"node_ids": NODES, "check": "cpu", "metric": "user", "max_points": 2}
        range_ms = {"start_ms": START, "end_ms": START + 2 * HOUR_MS}
        question = Across(**usual | range_ms | asked)
        return await run_across(self.store, at_once, account_id, question, retention, DecodedHours())

    def across(self, **asked: Any) -> Spread:
        found: Spread = self.done(self.run_across(**asked))
        return found

    def line(self, name: str, **asked: Any) -> list[float]:
        return floats(getattr(self.across(**asked), name))

    def test_a_point_has_what_all_nodes_are_together(self) -> None:
        self.compact()
        found = self.across(percentiles=[50, 100 / 3])
        assert np.frombuffer(found.times, np.int64).tolist() == [START, START + HOUR_MS]
        assert np.frombuffer(found.counts, np.int64).tolist() == [4, 4]
        assert (floats(found.total), floats(found.mean)) == ([6, 60], [1.5, 15])
        assert (floats(found.least), floats(found.greatest)) == ([0, 0], [3, 30])
        assert [floats(line) for line in found.percentiles] == [[1.5, 15], [1, 10]]

    def test_percentiles_are_those_of_numpy_where_some_nodes_have_gaps(self) -> None:
        values = np.random.default_rng(1).normal(size=(4, 2))
        values[2, 0] = np.nan
        for node_id, row in zip(NODES, values, strict=True):
            of_node = {DAY_MS + HOUR_MS * at: float(to) for at, to in enumerate(row) if not np.isnan(to)}
            self.write(node_id, of_node)
        start_ms = START + DAY_MS
        found = self.across(start_ms=start_ms, end_ms=start_ms + 2 * HOUR_MS, percentiles=[10, 95, 99])
        expected = np.nanpercentile(values, [10, 95, 99], axis=0)
        assert np.allclose([floats(line) for line in found.percentiles], expected)
        assert np.allclose(floats(found.mean), np.nanmean(values, axis=0))

    def test_frames_and_rows_of_every_level_give_the_same(self) -> None:
        asked = [
            {"max_points": points, "by": by} for points in (2, 8, 120) for by in ("mean", "max", "count")
        ]
        of_frames = [self.across(**each) for each in asked]
        self.compact()
        of_rows = [self.across(**each) for each in asked]
        assert of_rows == of_frames
        levels = [found.resolution for found in of_rows[::3]]
        assert levels == ["1h", "5m/900000", "raw/60000"]
        assert all(found.due_are_in for found in of_frames)

    def test_late_frames_count_beside_what_rows_have(self) -> None:
        self.compact()
        self.write("n1", {1: 61.0})
        for points in (2, 8, 120):
            assert self.line("total", max_points=points, by="sum")[0] > 60, points
        assert self.line("greatest", by="count") == [61, 60]

    def test_a_point_without_any_value_is_a_gap(self) -> None:
        found = self.across(start_ms=START - HOUR_MS, max_points=3)
        assert np.isnan(floats(found.mean)).tolist() == [True, False, False]
        assert np.isnan(floats(found.total)).tolist() == [True, False, False]
        assert np.frombuffer(found.counts, np.int64).tolist() == [0, 4, 4]

    def test_a_text_is_no_value(self) -> None:
        self.write("n9", {0: "x", 1: 7.0})
        for points in (2, 120):
            assert self.line("total", node_ids=["n9"], max_points=points)[0] == 7

    def test_no_more_points_come_than_were_asked_for(self) -> None:
        for points in range(1, 50):
            found = self.across(start_ms=START + 7, max_points=points)
            assert 0 < len(found.times) // 8 <= points

    def test_many_nodes_are_read_from_coarser_rows_and_without_due_hours(self) -> None:
        many = [*NODES, *(f"m{number}" for number in range(1200))]
        found = self.across(node_ids=many, max_points=120)
        assert (found.resolution, found.due_are_in) == ("5m", False)
        assert np.isnan(floats(found.mean)).all()
        self.compact()
        found = self.across(node_ids=many, max_points=120)
        assert floats(found.total) == [6] * 12 + [60] * 12

    def test_only_so_many_due_hours_are_read_as_is_bearable(self) -> None:
        self.patch(fleet, "MAX_DUE", 7)
        assert not self.across().due_are_in
        assert self.across(end_ms=START + HOUR_MS).due_are_in

    def test_what_is_not_kept_any_more_is_read_from_coarser_rows(self) -> None:
        old = Retention(START + 200 * DAY_MS)
        assert self.across(max_points=120, retention=old).resolution == "1h"

    def test_another_account_gets_nothing(self) -> None:
        found = self.across(account_id=OTHER_ACCOUNT, percentiles=[50])
        assert np.frombuffer(found.counts, np.int64).tolist() == [0, 0]
        assert np.isnan(floats(found.percentiles[0])).all()

    def test_what_would_be_too_much_or_means_nothing_is_refused(self) -> None:
        wrong: list[dict[str, Any]] = [
            {"check": ""},
            {"metric": ""},
            {"max_points": 0},
            {"max_points": MAX_POINTS + 1},
            {"percentiles": [101.0]},
            {"percentiles": [1.0] * 21},
            {"end_ms": START},
            {"end_ms": START + 400 * DAY_MS},
            {"node_ids": ["n"] * (fleet.MAX_NODES + 1)},
            {"node_ids": [f"n{n}" for n in range(fleet.MAX_NODES)], "end_ms": START + 100 * DAY_MS},
        ]
        for asked in wrong:
            self.failureResultOf(Deferred.fromCoroutine(self.run_across(**asked)), InvalidQuery)


def test_no_question_reads_more_rows_than_it_may() -> None:
    for nodes in (1, 80, 81, 2000, 5000):
        for days in (0.01, 1, 7, 31, 59):
            end_ms = START + int(days * DAY_MS)
            level = fleet.level_for(nodes, START, end_ms, MINUTE_MS, Retention(START))
            periods = len(fleet._periods(level, START, end_ms))
            assert level is Level.HOUR or nodes * periods <= fleet.MAX_ROWS[level], (nodes, days)


def floats(line: bytes) -> list[float]:
    values: list[float] = np.frombuffer(line, np.float64).tolist()
    return values
