"""The pages and the JSON that their scripts fetch."""

import re
import struct
from typing import Any

from django.conf import settings
from django.test import Client

from rpc import idl
from rpc.errors import Unavailable
from tests.webapp.base import TenantTestCase
from webapp import backend, live_ticket
from webapp.accounts import entry
from webapp.accounts.keys import find_key
from webapp.accounts.models import Membership
from webapp.nodes.models import NodeEvent

SERIES = 'ask=[{"check":"cpu","metrics":["cpu_user"],"points":100}]&from=1000&to=2000'


class DashboardTestCase(TenantTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client.force_login(self.owner)

    def text(self, path: str) -> str:
        response = self.client.get(path)
        self.assertEqual(response.status_code, 200, path)
        return response.content.decode()


class SigningInTestCase(TenantTestCase):
    def test_a_page_sends_who_is_not_signed_in_to_the_sign_in_page_and_back(self) -> None:
        self.owner.set_password("correct horse")
        self.owner.save()
        response = self.client.get("/keys")
        self.assertRedirects(response, "/login?next=/keys")
        said = {"username": "Owner@Example.com", "password": "correct horse", "next": "/keys"}
        self.assertRedirects(self.client.post("/login", said), "/keys")

    def test_a_wrong_password_is_told_without_saying_which_part_was_wrong(self) -> None:
        wrong = self.client.post("/login", {"username": "owner@example.com", "password": "guess"})
        nobody = self.client.post("/login", {"username": "nobody@example.com", "password": "guess"})
        for response in (wrong, nobody):
            self.assertContains(response, "No account has this address and password.")

    def test_a_one_time_link_signs_in_once(self) -> None:
        link = entry.sign_in_link(self.owner)
        self.assertRedirects(self.client.get(link), "/")
        self.assertContains(Client().get(link), "The link does not work", status_code=403)

    def test_a_link_cannot_lead_to_another_site(self) -> None:
        self.owner.set_password("correct horse")
        self.owner.save()
        said = {"username": "owner@example.com", "password": "correct horse", "next": "https://evil.example"}
        self.assertRedirects(self.client.post("/login", said), "/")

    def test_scripts_of_who_is_not_signed_in_get_401(self) -> None:
        for path in (f"/nodes/{self.node.pk}/series?{SERIES}", f"/nodes/{self.node.pk}/latest", "/ticket"):
            self.assertEqual(self.client.get(path).status_code, 401)

    def test_signing_out_takes_a_press_not_a_link(self) -> None:
        self.client.force_login(self.owner)
        self.assertEqual(self.client.get("/logout").status_code, 405)
        self.assertRedirects(self.client.post("/logout"), "/login")
        self.assertEqual(self.client.get("/").status_code, 302)

    def test_who_belongs_to_no_account_is_told_so(self) -> None:
        self.stranger.memberships.all().delete()
        self.client.force_login(self.stranger)
        self.assertContains(self.client.get("/"), "no account", status_code=403)


class PagesTestCase(DashboardTestCase):
    def test_the_overview_has_the_nodes_of_the_account_and_no_others(self) -> None:
        text = self.text("/")
        self.assertIn("web1", text)
        self.assertNotIn("secret-host", text)

    def test_the_overview_has_each_node_in_a_line_of_figures(self) -> None:
        self.snapshot("cpu", cpu_idle="75.0")
        summaries = re.search(r'id="summaries"[^>]*>(.*?)</script>', self.text("/"))
        assert summaries
        self.assertIn(f'"node": "{self.node.pk}"', summaries[1])
        self.assertIn('"cpu": 25.0', summaries[1])

    def test_an_account_without_nodes_sees_how_to_add_one(self) -> None:
        self.account.nodes.all().delete()
        self.assertIn("No servers yet", self.text("/"))

    def test_the_pages_stand_while_the_services_are_away(self) -> None:
        backend.install(timeseries=Away(), live=Away())
        self.assertIn("away", self.text("/"))
        self.assertIn("away", self.text(f"/nodes/{self.node.pk}"))

    def test_the_node_page_has_the_nodes_history_the_newest_first(self) -> None:
        self.assertIn("Nothing yet", self.text(f"/nodes/{self.node.pk}"))
        self.foreign_node.events.create(time_ms=3000, kind="absent", event_id="3000")
        self.node.events.create(time_ms=1000, kind="connected", event_id="c1")
        self.node.events.create(time_ms=2000, kind="disconnected", event_id="c1", text="<b>lost")
        text = self.text(f"/nodes/{self.node.pk}")
        self.assertEqual(re.findall(r'data-kind="(\w+)"', text), ["disconnected", "connected"])
        self.assertRegex(text, r"Agent disconnected <small>&lt;b&gt;lost<")
        self.assertIn('datetime="1970-01-01T00:00:02+00:00"', text)

    def test_every_kind_of_event_has_an_icon_on_the_page(self) -> None:
        for number, kind in enumerate(NodeEvent.Kind.values):
            self.node.events.create(time_ms=number, kind=kind)
        text = self.text(f"/nodes/{self.node.pk}")
        drawn = re.findall(r'<li data-kind.*?href="#(i-\w+)"', text)
        self.assertEqual(len(drawn), len(NodeEvent.Kind.values))
        self.assertEqual([icon for icon in drawn if f'<symbol id="{icon}"' not in text], [])

    def test_a_foreign_node_is_not_found(self) -> None:
        for path in ("", "/latest", f"/series?{SERIES}"):
            self.assertEqual(self.client.get(f"/nodes/{self.foreign_node.pk}{path}").status_code, 404)

    def test_hostile_names_and_values_stay_text(self) -> None:
        hostile = '"><script>alert(1)</script>'
        self.account.nodes.update(name=hostile)
        self.node.tags.add(self.account.tags.create(name=hostile))
        self.report(self.node, "custom", hostile, word=("string", hostile))
        for path in ("/", f"/nodes/{self.node.pk}"):
            self.assertNotIn("<script>alert", self.text(path))

    def test_no_page_has_a_script_or_style_that_the_policy_refuses(self) -> None:
        for path in ("/", f"/nodes/{self.node.pk}", "/nodes/add", "/keys"):
            text = self.text(path)
            self.assertNotRegex(text, r"<style|\sstyle=|\son\w+=")
            for script in re.findall(r"<script[^>]*>", text):
                self.assertRegex(script, r'src="/static/|type="application/json"')

    def test_the_ticket_on_a_page_is_of_the_account(self) -> None:
        ticket = re.search(r'data-ticket="([^"]+)"', self.text("/"))
        assert ticket
        self.assertEqual(live_ticket.read(ticket[1], settings.SECRET_KEY), self.account.pk)
        fresh = self.client.get("/ticket").json()["ticket"]
        self.assertEqual(live_ticket.read(fresh, settings.SECRET_KEY), self.account.pk)

    def snapshot(self, check: str, **metrics: str) -> None:
        state = idl.CheckState(
            check=check,
            key="",
            state="ok",
            status="",
            time_ms=1,
            metrics=[idl.Metric(name=name, kind="float", value=value) for name, value in metrics.items()],
        )
        shot = idl.NodeSnapshot(node_id=self.node.pk, time_ms=1, received_ms=1, checks=[state])
        self.services.snapshots[self.account.pk] = [shot]


class SeriesTestCase(DashboardTestCase):
    def series(self, query: str = SERIES) -> Any:
        return self.client.get(f"/nodes/{self.node.pk}/series?{query}")

    def test_columns_come_as_numbers_with_null_for_a_gap(self) -> None:
        values = struct.pack("<2d", 1.5, float("nan"))
        column = idl.Column(name="cpu_user", kind="float", values=values, minimum=b"", maximum=b"", texts=[])
        found = idl.Series(times=struct.pack("<2q", 1000, 1500), columns=[column], resolution="raw")
        self.services.query_many = lambda *_: [found]  # type: ignore[method-assign]
        (answer,) = self.series().json()
        self.assertEqual(answer["resolution"], "raw")
        self.assertEqual(answer["times"], [1000, 1500])
        self.assertEqual(answer["columns"][0]["values"], [1.5, None])
        self.assertEqual(answer["columns"][0]["min"], [])

    def test_the_question_goes_to_the_account_of_who_asks(self) -> None:
        self.series()
        account_id, node_id, (query,) = self.services.asked[-1]
        self.assertEqual((account_id, node_id), (self.account.pk, self.node.pk))
        asked = (query.check, query.key, query.metrics, query.start_ms, query.end_ms, query.max_points)
        self.assertEqual(asked, ("cpu", "", ["cpu_user"], 1000, 2000, 100))

    def test_more_points_than_a_screen_has_are_never_asked_for(self) -> None:
        for points in ("0", "999999999"):
            self.series(SERIES.replace('"points":100', f'"points":{points}'))
            self.assertEqual(self.services.asked[-1][2][0].max_points, 5000)

    def test_the_graphs_of_a_page_are_asked_for_in_one_call(self) -> None:
        answer = self.series('ask=[{"check":"mem","key":"k"},{"check":"cpu"}]&from=1000&to=2000').json()
        self.assertEqual(len(answer), 2)
        (asked,) = self.services.asked
        self.assertEqual([(query.check, query.key) for query in asked[2]], [("mem", "k"), ("cpu", "")])

    def test_a_bad_question_is_400_and_says_why(self) -> None:
        for query, word in (
            ("ask=[]&from=1&to=x", "to"),
            ("ask=[]&from=2&to=1", "before"),
            ("from=1&to=2", "ask"),
            ("ask=[{}]&from=1&to=2", "check"),
            ("ask=[]&to=2", "from"),
            ("ask=[]&from=-5&to=2", "range"),
        ):
            response = self.series(query)
            self.assertEqual(response.status_code, 400, query)
            self.assertIn(word, response.json()["error"])

    def test_a_service_that_is_away_is_503(self) -> None:
        backend.install(timeseries=Away())
        self.assertEqual(self.series().status_code, 503)
        self.assertEqual(self.client.get(f"/nodes/{self.node.pk}/latest").status_code, 503)

    def test_the_newest_results_come_with_their_times_and_typed_values(self) -> None:
        self.report(
            self.node, "net", "eth0", in_bytes=("gauge", "12.5"), word=("string", "7"), n=("int", "7")
        )
        (result,) = self.client.get(f"/nodes/{self.node.pk}/latest").json()
        self.assertEqual((result["check"], result["key"], result["time"]), ("net", "eth0", 1))
        self.assertEqual(result["metrics"], {"in_bytes": 12.5, "word": "7", "n": 7})


class KeysTestCase(DashboardTestCase):
    def test_a_new_key_works_and_its_secret_is_shown_once(self) -> None:
        made = self.client.post("/keys", {"name": "backup", "permissions": ["read"]}).content.decode()
        key, secret = re.search(r"pk_\w{16}", made), re.search(r"ps_\w{32}", made)
        assert key
        assert secret
        found = find_key(key[0])
        assert found
        self.assertEqual((found.account, found.name, found.permissions), (self.account, "backup", ["read"]))
        again = self.text("/keys")
        self.assertIn(key[0], again)
        self.assertNotIn(secret[0], again)

    def test_a_key_without_a_name_or_permission_is_not_made(self) -> None:
        before = self.account.keys.count()
        self.client.post("/keys", {"name": "", "permissions": ["read"]})
        self.client.post("/keys", {"name": "nothing"})
        self.client.post("/keys", {"name": "too much", "permissions": ["everything"]})
        self.assertEqual(self.account.keys.count(), before)

    def test_a_revoked_key_opens_nothing(self) -> None:
        self.assertRedirects(self.client.post(f"/keys/{self.key.key}/revoke"), "/keys")
        self.assertIsNone(find_key(self.key.key))
        self.assertEqual(self.client.get(f"/keys/{self.key.key}/revoke").status_code, 405)

    def test_a_strangers_key_is_neither_seen_nor_revoked(self) -> None:
        self.client.force_login(self.stranger)
        self.assertNotIn(self.key.key, self.text("/keys"))
        self.assertEqual(self.client.post(f"/keys/{self.key.key}/revoke").status_code, 404)
        self.assertIsNotNone(find_key(self.key.key))

    def test_who_may_only_look_makes_and_revokes_nothing(self) -> None:
        self.account.memberships.filter(user=self.owner).update(role=Membership.Role.VIEWER)
        for path in ("/keys", f"/keys/{self.key.key}/revoke", "/nodes/add"):
            self.assertEqual(self.client.post(path, {"name": "x", "permissions": ["read"]}).status_code, 403)
        self.assertEqual(self.account.keys.filter(revoked=None).count(), 1)

    def test_a_post_from_another_site_is_refused(self) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(self.owner)
        self.assertEqual(strict.post("/keys", {"name": "x", "permissions": ["read"]}).status_code, 403)

    def test_the_install_lines_hold_a_key_that_may_only_send_data(self) -> None:
        self.assertNotIn("pk_", self.text("/nodes/add"))
        made = self.client.post("/nodes/add").content.decode()
        key = re.search(r"oauth_key +(pk_\w{16})", made)
        assert key
        found = find_key(key[1])
        assert found
        self.assertEqual(found.permissions, ["agent"])
        self.assertRegex(made, "endpoint +testserver\n")


class Away:
    """Services that cannot be reached."""

    def query(self, *_: Any) -> Any:
        raise Unavailable("away")

    latest = snapshot = query_many = rank = across = query
