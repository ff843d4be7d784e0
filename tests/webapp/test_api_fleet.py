"""webapp.api: what version 2.0 answers about many nodes at once, and to whom."""

import time

from tests.webapp.base import Away, TenantTestCase
from timeseries.store import DAY_MS, HOUR_MS
from webapp import backend
from webapp.accounts.keys import create_key


class TopTest(TenantTestCase):
    def test_the_accounts_nodes_are_ranked_over_closed_hours(self) -> None:
        answer = self.get("/2.0/top?check=cpu&metric=cpu_user&hours=2&limit=3").json()
        item = {"id": self.node.pk, "name": "web1", "value": 1.5}
        self.assertEqual(answer, {"items": [item], "nodes": 1, "total": 1.5, "mean": None})
        ((account_id, rank),) = self.services.asked
        self.assertEqual((account_id, rank.node_ids, rank.by), (self.account.pk, [self.node.pk], "mean"))
        self.assertEqual(rank.end_ms - rank.start_ms, 2 * HOUR_MS)
        self.assertEqual(rank.end_ms % HOUR_MS, 0)
        self.assertLessEqual(rank.end_ms, time.time() * 1000)

    def test_by_latest_the_live_service_is_asked(self) -> None:
        backend.install(timeseries=Away(), live=self.services)
        self.assertEqual(self.get("/2.0/top?check=cpu&metric=cpu_user&by=latest").json()["nodes"], 1)
        self.assertEqual(self.get("/2.0/top?check=cpu&metric=cpu_user").status_code, 503)

    def test_a_range_without_a_closed_hour_is_a_clear_error(self) -> None:
        answer = self.get("/2.0/top?check=cpu&metric=cpu_user&hours=0")
        self.assertEqual((answer.status_code, answer.json()["code"]), (400, "bad_parameter"))

    def test_percentiles_are_named_as_they_were_asked_for(self) -> None:
        answer = self.get("/2.0/top?check=cpu&metric=cpu_user&percentiles=50, 99.9").json()
        self.assertEqual((answer["p50"], answer["p99.9"]), (1.5, 1.5))


class AcrossTest(TenantTestCase):
    def test_the_accounts_nodes_together_are_shown_over_time(self) -> None:
        found = self.get("/2.0/across?check=cpu&metric=cpu_user&start=5&end=9&points=7&percentiles=95").json()
        line = [1.5, None]
        lines = {"total": line, "mean": line, "least": line, "greatest": line, "p95": line}
        self.assertEqual(found, {"resolution": "5m", "due": True, "times": [5, 9], "nodes": [1, 0]} | lines)
        ((account_id, asked),) = self.services.asked
        self.assertEqual((account_id, asked.node_ids), (self.account.pk, [self.node.pk]))
        self.assertEqual((asked.max_points, asked.percentiles, asked.by), (7, [95.0], "mean"))

    def test_of_no_range_it_is_the_last_day(self) -> None:
        start, end = self.get("/2.0/across?check=cpu&metric=cpu_user").json()["times"]
        self.assertEqual(end - start, DAY_MS)
        self.assertLess(abs(time.time() * 1000 - end), 60_000)

    def test_a_stranger_sees_none_of_the_accounts_nodes(self) -> None:
        theirs = create_key(self.elsewhere, "theirs")
        self.get("/2.0/across?check=cpu&metric=cpu_user", theirs)
        ((account_id, asked),) = self.services.asked
        self.assertEqual(account_id, self.elsewhere.pk)
        self.assertNotIn(self.node.pk, asked.node_ids)

    def test_what_is_no_percentile_is_a_clear_error(self) -> None:
        answer = self.get("/2.0/across?check=cpu&metric=cpu_user&percentiles=most")
        self.assertEqual((answer.status_code, answer.json()["code"]), (400, "bad_parameter"))

    def test_while_the_query_service_is_away_the_answer_says_so(self) -> None:
        backend.install(timeseries=Away())
        self.assertEqual(self.get("/2.0/across?check=cpu&metric=cpu_user").status_code, 503)
