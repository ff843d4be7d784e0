"""webapp.operations, and the page of services."""

import time
from dataclasses import replace
from typing import Any

import msgspec

from eventframework.catalogue import Heartbeat, ServiceStateChanged
from tests.webapp.base import TenantTestCase, outboxed
from webapp.accounts.operators import operates
from webapp.operations.judge import SILENT_MS, Key, Sight
from webapp.operations.models import Instance, Problem
from webapp.operations.watch import FORGOTTEN_MS, Heard, thd_watch

START_MS = 1_700_000_000_000
BEAT = Heartbeat(
    service="archive",
    instance="one",
    host="a.example",
    pid=7,
    started_ms=START_MS,
    time_ms=START_MS,
    state="ok",
    status="up",
    lag=0,
    pending=0,
)
SIGHT = Sight(START_MS, START_MS, ["archive"], 1000, 0)
DEAD = Key("archive", "", "dead")


class OperationsTest(TenantTestCase):
    def hear(self, now_ms: int, **changes: Any) -> None:
        """A heartbeat at this time, by default of the only `archive`."""
        beat = msgspec.structs.replace(BEAT, **{"time_ms": now_ms} | changes)
        thd_watch([Heard(beat, now_ms)], None)

    def look(self, now_ms: int, **changes: Any) -> list[tuple[Key, bool]]:
        """Which problems have begun (True) and ended (False) at this time."""
        told = thd_watch([], replace(SIGHT, now_ms=now_ms, **changes))
        return [(change.key, change.is_problem) for change in told]

    def test_a_service_that_was_heard_lately_has_no_problem(self) -> None:
        self.hear(START_MS)
        self.assertEqual(self.look(START_MS + SILENT_MS), [])

    def test_a_service_that_falls_silent_is_dead_until_it_is_heard_again_and_told_once(self) -> None:
        self.hear(START_MS)
        late_ms = START_MS + SILENT_MS + 1
        self.assertEqual(self.look(late_ms), [(DEAD, True)])
        self.assertEqual(self.look(late_ms + 5000), [])
        self.hear(late_ms + 6000)
        self.assertEqual(self.look(late_ms + 7000), [(DEAD, False)])
        self.assertEqual(self.look(late_ms + 8000), [])

    def test_a_service_that_never_came_is_dead_once_it_had_time_to_come(self) -> None:
        self.assertEqual(self.look(START_MS + SILENT_MS), [])
        self.assertEqual(self.look(START_MS + SILENT_MS + 1), [(DEAD, True)])

    def test_a_service_that_is_not_wanted_may_be_absent(self) -> None:
        self.hear(START_MS, service="old")
        self.assertEqual(self.look(START_MS + SILENT_MS + 1, enabled=[]), [])

    def test_silence_counts_from_when_the_watchdog_could_hear(self) -> None:
        self.hear(START_MS)
        now_ms = START_MS + 10 * SILENT_MS
        self.assertEqual(self.look(now_ms, since_ms=now_ms - SILENT_MS), [])
        self.assertEqual(self.look(now_ms, since_ms=now_ms - SILENT_MS - 1), [(DEAD, True)])

    def test_without_sight_nothing_begins_or_ends(self) -> None:
        self.look(START_MS + SILENT_MS + 1)
        self.hear(START_MS + SILENT_MS + 2)
        self.assertEqual(thd_watch([], None), [])
        self.assertEqual(Problem.objects.count(), 1)

    def test_one_of_two_instances_that_falls_silent_is_told_of_alone(self) -> None:
        late_ms = START_MS + SILENT_MS + 1
        self.hear(START_MS)
        self.hear(late_ms, instance="two", host="b.example", pid=8)
        self.assertEqual(self.look(late_ms), [(Key("archive", "one", "silent"), True)])

    def test_one_that_started_in_place_of_the_silent_one_makes_good_for_it(self) -> None:
        late_ms = START_MS + SILENT_MS + 1
        self.hear(START_MS)
        self.hear(late_ms, instance="two", pid=8, started_ms=START_MS + 3000)
        self.assertEqual(self.look(late_ms), [])
        self.assertEqual([one.instance for one in Instance.objects.all()], ["two"])

    def test_one_that_was_there_before_does_not(self) -> None:
        late_ms = START_MS + SILENT_MS + 1
        self.hear(START_MS)
        self.hear(late_ms, instance="two", pid=8, started_ms=START_MS - 3000)
        self.assertEqual(self.look(late_ms), [(Key("archive", "one", "silent"), True)])

    def test_one_that_was_told_to_stop_is_forgotten_at_once(self) -> None:
        self.hear(START_MS)
        self.hear(START_MS + 1, state="stopped")
        self.assertEqual(Instance.objects.count(), 0)

    def test_one_that_cannot_serve_for_long_is_told_of_with_its_reason(self) -> None:
        self.hear(START_MS, state="err", status="no store")
        self.hear(START_MS + SILENT_MS, state="err", status="no store")
        self.assertEqual(self.look(START_MS + SILENT_MS), [])
        unready = Key("archive", "one", "unready")
        self.assertEqual(self.look(START_MS + SILENT_MS + 1), [(unready, True)])
        self.assertIn("no store", Problem.objects.get().text)
        self.hear(START_MS + SILENT_MS + 2)
        self.assertEqual(self.look(START_MS + SILENT_MS + 3), [(unready, False)])

    def test_lag_begins_past_the_limit_and_ends_at_half_of_it(self) -> None:
        key = Key("archive", "", "lag")
        for lag, changes in [(1000, []), (1001, [(key, True)]), (501, []), (500, [(key, False)]), (501, [])]:
            self.hear(START_MS, lag=lag)
            self.assertEqual(self.look(START_MS), changes)

    def test_dead_letters_are_a_problem_of_the_broker_and_unknown_changes_nothing(self) -> None:
        key = Key("broker", "", "dead_letters")
        wanted = [(None, []), (3, [(key, True)]), (None, []), (4, []), (0, [(key, False)]), (None, [])]
        for dead_letters, changes in wanted:
            self.assertEqual(self.look(START_MS, dead_letters=dead_letters), changes)

    def test_each_change_is_an_event_written_with_it(self) -> None:
        late_ms = START_MS + SILENT_MS + 1
        self.look(late_ms)
        self.hear(late_ms + 1)
        self.look(late_ms + 2)
        told = [event for event in outboxed() if isinstance(event, ServiceStateChanged)]
        self.assertEqual(
            [(one.service, one.kind, one.old, one.new) for one in told],
            [
                ("archive", "dead", "ok", "problem"),
                ("archive", "dead", "problem", "ok"),
            ],
        )

    def test_what_is_kept_is_bounded_and_the_last_of_a_service_stays(self) -> None:
        for number in range(5):
            self.hear(START_MS + number, instance=f"i{number}", host=f"h{number}")
        self.look(START_MS + FORGOTTEN_MS + 10)
        self.assertEqual([one.instance for one in Instance.objects.all()], ["i4"])

    def test_since_is_when_the_state_began(self) -> None:
        for now_ms, state in [(1, "err"), (2, "ok"), (3, "ok")]:
            self.hear(START_MS + now_ms, state=state)
        found = Instance.objects.get()
        self.assertEqual((found.since_ms, found.heard_ms), (START_MS + 2, START_MS + 3))

    def test_a_long_status_is_cut(self) -> None:
        self.hear(START_MS, state="err", status="x" * 5000)
        self.assertEqual(len(Instance.objects.get().status), 300)
        self.assertEqual(len(self.look(START_MS)), 0)


class PageTest(TenantTestCase):
    def hear(self, ago_ms: int = 0, **changes: Any) -> None:
        now_ms = round(time.time() * 1000) - ago_ms
        thd_watch([Heard(msgspec.structs.replace(BEAT, time_ms=now_ms, **changes), now_ms)], None)

    def page(self) -> str:
        self.client.force_login(self.owner)
        answer = self.client.get("/services")
        self.assertEqual(answer.status_code, 200)
        return answer.content.decode()

    def test_the_first_accounts_owner_operates_and_nobody_else(self) -> None:
        self.assertTrue(operates(self.owner))
        self.assertFalse(operates(self.teammate))
        self.assertFalse(operates(self.stranger))

    def test_to_others_there_is_no_such_page_and_no_way_to_it(self) -> None:
        for user in (self.teammate, self.stranger):
            self.client.force_login(user)
            self.assertEqual(self.client.get("/services").status_code, 404)
            self.assertNotContains(self.client.get("/keys"), "/services")
        self.client.logout()
        self.assertEqual(self.client.get("/services").status_code, 302)

    def test_the_way_to_it_is_in_the_navigation(self) -> None:
        self.client.force_login(self.owner)
        self.assertContains(self.client.get("/keys"), 'href="/services"')

    def test_each_instance_is_a_line_with_its_state_in_a_word(self) -> None:
        self.hear()
        self.hear(service="query", state="err", status="<no> store", lag=12)
        self.hear(SILENT_MS + 1000, service="live")
        page = self.page()
        for word in ("archive", "a.example", "Up", "Not ready", "&lt;no&gt; store", "12", "Silent"):
            self.assertIn(word, page)
        self.assertNotIn("No heartbeat has come for a while", page)

    def test_problems_stand_above_the_table(self) -> None:
        Problem.objects.create(
            service="state", kind="dead", since_ms=START_MS, text="no process of it has come"
        )
        self.assertIn("<strong>state: Dead</strong> – no process of it has come, since", self.page())

    def test_a_watchdog_that_hears_nothing_is_told_of(self) -> None:
        self.hear(SILENT_MS + 1000)
        self.assertIn("No heartbeat has come for a while", self.page())

    def test_without_heartbeats_it_says_what_to_do(self) -> None:
        self.assertIn("picket run watchdog", self.page())
