import math
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.threads import at_once
from tests.timeseries.samples import ACCOUNT, OTHER_ACCOUNT, measured, result
from timeseries.compaction import compact
from timeseries.decoded import DecodedHours
from timeseries.errors import InvalidQuery
from timeseries.fleet import MAX_DUE, MAX_NODES
from timeseries.memory import MemoryStore
from timeseries.rank import Rank, Ranked, run_rank
from timeseries.retention import Retention
from timeseries.rollups import FINE_MS
from timeseries.store import DAY_MS, HOUR_MS

START = 1_795_996_800_000 - HOUR_MS
"""The last hour of a month (UTC)."""


RETENTION = Retention(START)


class TestRank(SynchronousTestCase):
    """Nodes n0 to n4: node n has user=n in the first hour and user=10n, twice, in the second."""

    def setUp(self) -> None:
        self.store = MemoryStore(Clock())
        for node in range(5):
            later = START + HOUR_MS
            self.write(f"n{node}", {START: node, later: 10 * node, later + 1: 10 * node})
            self.compact(f"n{node}")

    def write(self, node_id: str, moments: dict[int, float]) -> None:
        frames = [measured(at, result(user=to, words="x"), node_id=node_id) for at, to in moments.items()]
        self.done(self.store.write(frames))

    def compact(self, node_id: str) -> None:
        for hour in self.done(self.store.due_of(ACCOUNT, node_id)):
            self.done(compact(self.store, at_once, hour))

    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def asked(self, **asked: Any) -> Rank:
        fields: dict[str, Any] = {
            "node_ids": [f"n{node}" for node in range(5)],
            "check": "cpu",
            "metric": "user",
            "start_ms": START,
            "end_ms": START + 2 * HOUR_MS,
        }
        return Rank(**fields | asked)

    def rank(self, account_id: str = ACCOUNT, **asked: Any) -> Ranked:
        found: Ranked = self.done(self.run_rank(account_id, **asked))
        return found

    async def run_rank(self, account_id: str = ACCOUNT, **asked: Any) -> Ranked:
        question, decoded = self.asked(**asked), DecodedHours()
        return await run_rank(self.store, at_once, account_id, question, RETENTION, decoded)

    def top(self, **asked: Any) -> list[tuple[str, float]]:
        return [(each.node_id, each.value) for each in self.rank(**asked).top]

    def test_the_greatest_come_first_and_no_more_than_the_limit(self) -> None:
        assert self.top(limit=2) == [("n4", 28), ("n3", 21)]
        assert self.top(limit=2, ascending=True) == [("n0", 0), ("n1", 7)]

    def test_of_equal_ones_the_first_by_id_comes_first(self) -> None:
        assert self.top(by="count", limit=3) == [("n0", 3), ("n1", 3), ("n2", 3)]

    def test_below_a_day_five_minutes_count_and_from_a_day_on_hours(self) -> None:
        late = START + HOUR_MS + 10 * FINE_MS
        self.write("n1", {late: 100})
        self.compact("n1")
        assert self.top(start_ms=late, limit=1) == [("n1", 100)]
        assert self.top(start_ms=late - DAY_MS, end_ms=late, by="max", limit=1) == [("n1", 100)]

    def test_frames_that_no_pass_has_taken_in_count(self) -> None:
        self.write("n1", {START + HOUR_MS + 2: 1000})
        self.write("n9", {START: 500})
        assert self.top(by="max", limit=2, node_ids=["n1", "n4", "n9"]) == [("n1", 1000), ("n9", 500)]
        for start_ms in (START, START - DAY_MS):
            assert self.top(by="count", limit=1, start_ms=start_ms) == [("n1", 4)]

    def test_of_very_many_nodes_rows_alone_count(self) -> None:
        self.write("n9", {START: 500})
        many = [f"n{node}" for node in range(MAX_DUE + 1)]
        assert self.top(node_ids=many, by="max", limit=1) == [("n4", 40)]

    def test_the_range_says_which_hours_count_over_the_end_of_a_month(self) -> None:
        assert self.top(end_ms=START + HOUR_MS, limit=1) == [("n4", 4)]
        assert self.top(start_ms=START + HOUR_MS, limit=1) == [("n4", 40)]

    def test_a_node_counts_with_the_value_that_is_asked_for(self) -> None:
        values = {by: self.top(by=by, limit=1)[0][1] for by in ("mean", "min", "max", "sum", "count")}
        assert values == {"mean": 28, "min": 4, "max": 40, "sum": 84, "count": 3}

    def test_all_nodes_together_have_a_total_a_mean_and_percentiles(self) -> None:
        found = self.rank(limit=1, percentiles=[0, 50, 100])
        assert (found.counted, found.total, found.mean) == (5, 70, 14)
        assert found.percentiles == [0, 14, 28]

    def test_only_the_nodes_that_are_asked_for_count_and_each_once(self) -> None:
        assert self.rank(node_ids=["n1", "n1", "n9"]).counted == 1

    def test_another_account_gets_nothing(self) -> None:
        found = self.rank(OTHER_ACCOUNT, percentiles=[50])
        assert (found.top, found.counted, found.total) == ([], 0, 0)
        assert math.isnan(found.mean)
        assert math.isnan(found.percentiles[0])

    def test_a_text_is_no_value(self) -> None:
        assert self.rank(metric="words").counted == 0

    def test_what_would_be_too_much_or_means_nothing_is_refused(self) -> None:
        wrong: list[dict[str, Any]] = [
            {"check": ""},
            {"metric": ""},
            {"by": "latest"},
            {"limit": 0},
            {"percentiles": [101.0]},
            {"end_ms": START},
            {"end_ms": START + 400 * DAY_MS},
            {"node_ids": ["n"] * (MAX_NODES + 1)},
            {"node_ids": [f"n{n}" for n in range(MAX_NODES)], "end_ms": START + 100 * DAY_MS},
        ]
        for asked in wrong:
            self.failureResultOf(Deferred.fromCoroutine(self.run_rank(**asked)), InvalidQuery)
