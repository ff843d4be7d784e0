"""webapp.api: what versions 1.0 and 2.0 answer, and to whom."""

import itertools
import math
import struct
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from eventframework.catalogue import NodeDeleted
from rpc import idl
from tests.webapp.base import Away, TenantTestCase, outboxed
from timeseries.store import DAY_MS, HOUR_MS
from webapp import backend
from webapp.accounts.keys import NewKey, create_key

NINE_FIELDS = {
    "agent_state",
    "color",
    "id",
    "ipaddress",
    "name",
    "provider_id",
    "provider_name",
    "status",
    "tags",
}


class NodesTest(TenantTestCase):
    def test_version_2_answers_items_first(self) -> None:
        answer = self.get("/2.0/nodes")
        self.assertTrue(answer.content.startswith(b'{"items":[{"id":'))
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        (node,) = answer.json()["items"]
        self.assertEqual((node["id"], node["name"], node["ipaddress"]), (self.node.pk, "web1", "192.0.2.1"))

    def test_version_1_answers_a_bare_list_of_nine_fields(self) -> None:
        self.node.tags.add(self.account.tags.create(name="web"))
        (node,) = self.get("/1.0/query/nodes").json()
        self.assertEqual(set(node), NINE_FIELDS)
        self.assertEqual(node["tags"], ["web"])
        self.assertRegex(node["color"], "^#[0-9A-F]{6}$")

    def test_details_and_tags_are_each_nodes_own(self) -> None:
        rack = self.account.nodes.create(name="web2", details={"rack": {"row": 1}})
        for name in ("web", "db"):
            rack.tags.add(self.account.tags.create(name=name))
        plain, found = self.get("/2.0/nodes").json()["items"]
        self.assertEqual((plain["details"], plain["tags"]), ({}, []))
        self.assertEqual((found["details"], found["tags"]), ({"rack": {"row": 1}}, ["db", "web"]))

    def test_an_agent_is_connected_while_its_frames_come(self) -> None:
        now_ms = int(time.time() * 1000)
        for age_ms, state in ((1000, "connected"), (120_000, "disconnected")):
            shot = idl.NodeSnapshot(node_id=self.node.pk, time_ms=0, received_ms=now_ms - age_ms, checks=[])
            self.services.snapshots[self.account.pk] = [shot]
            self.assertEqual(self.get("/1.0/query/nodes").json()[0]["agent_state"], state)

    def test_an_agents_state_is_unknown_while_the_live_service_is_away(self) -> None:
        backend.install(timeseries=self.services)
        self.assertEqual(self.get("/1.0/query/nodes").json()[0]["agent_state"], "unknown")

    def test_a_query_picks_nodes(self) -> None:
        self.account.nodes.create(name="db 1.example.com")
        for query, names in (
            ("*", ["db 1.example.com", "web1"]),
            (" ALL ", ["db 1.example.com", "web1"]),
            ("web1", ["web1"]),
            ("node:web1", ["web1"]),
            ("NODE:WEB1", ["web1"]),
            ('"db 1.example.com"', ["db 1.example.com"]),
            ('node:"db 1.example.com"', ["db 1.example.com"]),
            ("nobody", []),
        ):
            for found in (
                self.client.get("/2.0/nodes", {"query": query}, headers=self.bearer).json()["items"],
                self.client.get("/1.0/query/nodes", {"query": query}, headers=self.bearer).json(),
            ):
                self.assertEqual([node["name"] for node in found], names, query)

    def test_a_query_that_is_not_understood_is_a_clear_error(self) -> None:
        for query in ("", "tag:web", "web*", "a or b", "or", "-web1", 'node:"web1', "xxxx:bar"):
            answer = self.client.get("/2.0/nodes", {"query": query}, headers=self.bearer)
            self.assertEqual((answer.status_code, answer.json()["code"]), (400, "bad_query"), query)
            self.assertIn("is not understood", answer.json()["detail"])

    def test_node_ids_come_as_python_text(self) -> None:
        other = self.account.nodes.create(name="web2")
        ids = {"node_ids": f"['{other.pk}', '{self.foreign_node.pk}']"}
        found = self.client.get("/2.0/nodes", ids, headers=self.bearer).json()["items"]
        self.assertEqual([node["id"] for node in found], [other.pk])

    def test_a_thousand_nodes_take_a_fixed_number_of_queries(self) -> None:
        self.get("/2.0/nodes")
        with self.assertNumQueries(4):  # The key and its account, the details, the tags, the nodes.
            self.get("/2.0/nodes")
        for number in range(20):
            self.account.nodes.create(name=f"n{number}").tags.add(self.account.tags.create(name=str(number)))
        with self.assertNumQueries(4):
            self.get("/2.0/nodes")

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key.bearer_token}"}


class DeleteNodeTest(TenantTestCase):
    def delete(self, node_id: str, key: NewKey | None = None) -> Any:
        bearer = f"Bearer {(key or self.key).bearer_token}"
        return self.client.delete(f"/2.0/nodes/{node_id}", headers={"Authorization": bearer})

    def test_a_node_is_deleted_and_an_event_tells_of_it(self) -> None:
        self.assertEqual(self.delete(self.node.pk).status_code, 204)
        self.assertFalse(self.account.nodes.exists())
        self.assertEqual(outboxed(), [NodeDeleted(account_id=self.account.pk, node_id=self.node.pk)])
        self.assertEqual(self.delete(self.node.pk).status_code, 404)

    def test_the_node_of_another_account_is_unknown_and_stays(self) -> None:
        answer = self.delete(self.foreign_node.pk)
        self.assertEqual((answer.status_code, answer.json()["code"]), (404, "unknown_node"))
        self.assertTrue(self.elsewhere.nodes.exists())
        self.assertEqual(outboxed(), [])

    def test_a_key_that_may_not_write_deletes_nothing(self) -> None:
        reader = create_key(self.account, "reader", ["read"])
        answer = self.delete(self.node.pk, reader)
        self.assertEqual((answer.status_code, answer.json()["code"]), (403, "no_permission"))
        self.assertTrue(self.account.nodes.exists())


class CheckTest(TenantTestCase):
    def test_memory_is_answered_as_the_original_did(self) -> None:
        self.report(
            self.node,
            "mem",
            mem_used=("int", "481677312"),
            mem_total=("int", "8352198656"),
            swap_used=("int", "0"),
        )
        answer = self.get(f"/1.0/query/node/{self.node.pk}/check/mem").json()
        self.assertEqual((answer["check"], answer["status"]), ("mem", "mem is fine"))
        metrics = {metric["name"]: metric for metric in answer["metrics"]}
        self.assertEqual(metrics["mem_used"], {"name": "mem_used", "type": "int", "value": 481677312})
        self.assertAlmostEqual(metrics["mem_percent_used"]["value"], 5.76707202305)
        self.assertEqual(metrics["mem_percent_used"]["type"], "float")

    def test_values_keep_their_types(self) -> None:
        self.report(
            self.node,
            "odd",
            big=("int", "18446744073709551615"),
            rate=("gauge", "2.5"),
            load=("float", "1e-07"),
            word=("string", "12"),
            gap=("float", "nan"),
        )
        found = self.get(f"/1.0/query/node/{self.node.pk}/check/odd").json()["metrics"]
        values = {metric["name"]: metric["value"] for metric in found}
        self.assertEqual(
            values, {"big": 18446744073709551615, "rate": 2.5, "load": 1e-07, "word": "12", "gap": None}
        )

    def test_a_check_of_many_instances_answers_the_one_wanted_or_the_main_one(self) -> None:
        for key in ("/data", "/", "/boot"):
            self.report(self.node, "disk", key, at=("string", key))
        for query, expected in (("", "/"), ("?key=/data", "/data")):
            found = self.get(f"/1.0/query/node/{self.node.pk}/check/disk{query}").json()
            self.assertEqual(found["metrics"][0]["value"], expected)
        self.assertEqual(self.get(f"/1.0/query/node/{self.node.pk}/check/disk?key=/no").status_code, 404)

    def test_a_check_without_a_result_is_not_found(self) -> None:
        answer = self.get(f"/1.0/query/node/{self.node.pk}/check/cpu")
        self.assertEqual((answer.status_code, answer.json()["code"]), (404, "unknown_check"))

    def test_while_the_query_service_is_away_the_answer_says_so(self) -> None:
        backend.install()
        self.assertEqual(self.get(f"/1.0/query/node/{self.node.pk}/check/cpu").status_code, 503)
        backend.install(timeseries=Away())
        answer = self.get(f"/1.0/query/node/{self.node.pk}/check/cpu")
        self.assertEqual((answer.status_code, answer.json()["code"]), (503, "unavailable"))


class ExportTest(TenantTestCase):
    """A node whose check `cpu` has user=n and a text in every second n of the hour of START."""

    def setUp(self) -> None:
        super().setUp()
        self.start = int(time.time() * 1000) // HOUR_MS * HOUR_MS - 3 * HOUR_MS
        self.queries: list[idl.Query] = []
        self.services.query = self.query  # type: ignore[method-assign]

    def query(self, account_id: str, node_id: str, query: idl.Query) -> idl.Series:
        self.assertEqual((account_id, node_id), (self.account.pk, self.node.pk))
        self.queries.append(query)
        columns = [
            idl.Column(name="user %", kind="float", values=struct.pack("<2d", 1.5, math.nan), texts=[]),
            idl.Column(name="-n", kind="int", values=struct.pack("<2d", -2, 3), texts=[]),
            idl.Column(name="word", kind="string", values=b"", texts=["=cmd()", ""]),
        ]
        chosen = [column for column in columns if not query.metrics or column.name in query.metrics]
        times = struct.pack("<2q", query.start_ms, query.start_ms + 10)
        return idl.Series(times=times, columns=chosen, resolution="raw")

    def export(self, start: int, end: int, **asked: str) -> Any:
        parameters = {"check": "cpu", "start": start, "end": end, **asked}
        return self.get(f"/2.0/nodes/{self.node.pk}/export?{urlencode(parameters)}")

    def text(self, answer: Any) -> str:
        self.assertEqual(answer.status_code, 200)
        return b"".join(answer.streaming_content).decode()

    def test_csv_has_a_line_a_value_and_no_formula(self) -> None:
        lines = self.text(self.export(self.start, self.start + 1000)).splitlines()
        moment = datetime.fromtimestamp(self.start // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        self.assertEqual(
            lines,
            [
                "time,metric,resolution,value,minimum,maximum",
                f"{moment}.000Z,user %,raw,1.5,,",
                f"{moment}.000Z,'-n,raw,-2,,",
                f"{moment}.000Z,word,raw,'=cmd(),,",
                f"{moment}.010Z,'-n,raw,3,,",
            ],
        )

    def test_openmetrics_has_each_family_in_one_piece_and_an_end(self) -> None:
        end = self.start + 2 * HOUR_MS
        text = self.text(self.export(self.start, end, key='a"b', format="openmetrics"))
        labels = f'node="{self.node.pk}",key="a\\"b"'
        times = [self.start // 1000, self.start // 1000 + 3600]
        self.assertEqual(
            text.splitlines(),
            [
                "# TYPE picket_cpu__n gauge",
                *(
                    f'picket_cpu__n{{{labels},metric="-n"}} {value} {at}.0{after}0'
                    for at in times
                    for value, after in (("-2.0", 0), ("3.0", 1))
                ),
                "# TYPE picket_cpu_user__ gauge",
                *(f'picket_cpu_user__{{{labels},metric="user %"}} 1.5 {at}.000' for at in times),
                "# EOF",
            ],
        )
        self.assertTrue(list(text_string_to_metric_families(text)))

    def test_it_is_asked_for_hour_by_hour_as_it_is_read(self) -> None:
        answer = self.export(self.start + 5, self.start + 3 * HOUR_MS)
        self.assertEqual(len(self.queries), 1)
        self.text(answer)
        edges = [(query.start_ms - self.start, query.end_ms - self.start) for query in self.queries]
        self.assertEqual(edges, [(5, HOUR_MS), (HOUR_MS, 2 * HOUR_MS), (2 * HOUR_MS, 3 * HOUR_MS)])
        self.assertEqual({query.max_points for query in self.queries}, {0})

    def test_what_raw_values_are_no_longer_kept_of_comes_as_rollups(self) -> None:
        self.text(self.export(self.start - 400 * DAY_MS, self.start))
        self.assertEqual(self.queries[0].max_points, 28 * 24 + 1)
        self.assertEqual({query.max_points for query in self.queries}, {28 * 24 + 1, 289, 0})
        edges = [(query.start_ms, query.end_ms) for query in self.queries]
        self.assertTrue(all(before[1] == after[0] for before, after in itertools.pairwise(edges)))
        self.assertEqual((edges[0][0], edges[-1][1]), (self.start - 400 * DAY_MS, self.start))

    def test_a_wrong_question_is_a_clear_error_before_anything_is_sent(self) -> None:
        for start, end, asked in ((5, 5, {}), (0, 5000 * DAY_MS, {}), (0, 5, {"check": ""})):
            answer = self.export(start, end, **asked)
            self.assertEqual((answer.status_code, answer.json()["code"]), (400, "bad_query"))
        self.assertEqual(self.export(0, 5, format="xml").status_code, 400)
        backend.install(timeseries=Away())
        self.assertEqual(self.export(self.start, self.start + 5).status_code, 503)

    def test_a_foreign_node_is_not_exported(self) -> None:
        answer = self.get(f"/2.0/nodes/{self.foreign_node.pk}/export?check=cpu&start=1&end=5")
        self.assertEqual((answer.status_code, answer.json()["code"]), (404, "unknown_node"))


class TenancyTest(TenantTestCase):
    def test_a_list_holds_the_accounts_own_nodes_only(self) -> None:
        for path in ("/2.0/nodes", "/1.0/query/nodes", "/2.0/nodes?query=secret-host"):
            self.assertNotIn(b"secret-host", self.get(path).content)
        theirs = create_key(self.elsewhere, "theirs")
        self.assertIn(b"secret-host", self.get("/2.0/nodes", theirs).content)

    def test_a_foreign_node_looks_like_one_that_never_was(self) -> None:
        self.report(self.foreign_node, "cpu", cpu_idle=("float", "1"))
        foreign = self.get(f"/1.0/query/node/{self.foreign_node.pk}/check/cpu")
        never = self.get("/1.0/query/node/n0000000000/check/cpu")
        self.assertEqual((foreign.status_code, never.status_code), (404, 404))
        self.assertEqual(
            foreign.content.replace(self.foreign_node.pk.encode(), b""),
            never.content.replace(b"n0000000000", b""),
        )
        self.assertEqual(self.services.asked, [])

    def test_time_series_are_asked_for_in_the_name_of_the_account(self) -> None:
        self.report(self.node, "cpu", cpu_idle=("float", "1"))
        self.get(f"/1.0/query/node/{self.node.pk}/check/cpu")
        self.assertEqual(self.services.asked, [(self.account.pk, self.node.pk)])


class CredentialsTest(TenantTestCase):
    def test_without_credentials_the_answer_says_what_to_show(self) -> None:
        answer = self.client.get("/2.0/nodes")
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        self.assertIn("OAuth", answer.headers["WWW-Authenticate"])
        self.assertEqual(answer.json()["title"], "Unauthorized")

    def test_a_wrong_token_is_refused(self) -> None:
        for token in ("", ".", self.key.key, f"{self.key.key}.ps_wrong", "a.b.c"):
            answer = self.client.get("/2.0/nodes", headers={"Authorization": f"Bearer {token}"})
            self.assertEqual(answer.status_code, 401, token)

    def test_a_session_does_not_count(self) -> None:
        self.client.force_login(self.owner)
        self.assertEqual(self.client.get("/2.0/nodes").status_code, 401)

    def test_reading_takes_a_key_that_may_read(self) -> None:
        agent = create_key(self.account, "agents", ["agent"])
        answer = self.get("/2.0/nodes", agent)
        self.assertEqual((answer.status_code, answer.json()["code"]), (403, "no_permission"))

    def test_a_key_of_one_half_and_a_secret_of_another_open_nothing(self) -> None:
        other = create_key(self.account, "other")
        mixed = NewKey(self.key.key, other.secret)
        self.assertEqual(self.get("/2.0/nodes", mixed).status_code, 401)

    def test_an_address_that_the_api_has_not_is_a_problem_too(self) -> None:
        answer = self.get("/2.0/no/such")
        self.assertEqual((answer.status_code, answer.json()["code"]), (404, "not_found"))

    def test_a_fault_of_ours_is_told_as_a_problem_without_its_inside(self) -> None:
        backend.install(timeseries=_Broken())
        self.client.raise_request_exception = False
        with self.assertLogs("picket.api", "ERROR"):
            answer = self.get(f"/1.0/query/node/{self.node.pk}/check/cpu")
        self.assertEqual((answer.status_code, answer.json()["code"]), (500, "fault"))
        self.assertNotIn(b"inside", answer.content)


class _Broken(Away):
    def latest(self, *_asked: object) -> list[idl.CheckState]:
        raise RuntimeError("inside")
