"""webapp.outbox: what Django writes, and what its relay sees of it."""

import time

from django.db import transaction
from django.test import TestCase, TransactionTestCase
from twisted.internet.task import Clock

from eventframework.catalogue import KeyRevoked, NodeUpdated
from eventframework.event import decode
from picket import correlation
from webapp import outbox
from webapp.outbox import waking
from webapp.outbox.held import Held
from webapp.outbox.models import OutboxEvent
from webapp.outbox.relay import thd_backlog, thd_oldest, thd_settle


def updated(node_id: str = "n1", account_id: str = "a1") -> NodeUpdated:
    return NodeUpdated(account_id=account_id, node_id=node_id, changes={"name": ["old", "ñew\0"]})


class OutboxTest(TestCase):
    def test_an_event_is_kept_as_it_goes_on_the_wire(self) -> None:
        began_ms = int(time.time() * 1000)
        with correlation.scope("r1"):
            outbox.publish(updated())
        (row,) = thd_oldest(10)
        envelope, event = decode(row.body)
        self.assertEqual(event, updated())
        self.assertEqual((row.topic, envelope.topic), ("node_updated", "node_updated"))
        self.assertEqual(envelope.correlation_id, "r1")
        self.assertRegex(envelope.id, r"^[0-9a-f]{32}$")
        self.assertLess(abs(envelope.time_ms - began_ms), 10_000)

    def test_two_events_have_two_ids(self) -> None:
        outbox.publish(updated())
        outbox.publish(updated())
        self.assertEqual(len({decode(row.body)[0].id for row in thd_oldest(10)}), 2)

    def test_the_oldest_come_first_up_to_a_limit(self) -> None:
        for name in "abc":
            outbox.publish(updated(name))
        self.assertEqual([row.entity for row in thd_oldest(2)], ["a1/a", "a1/b"])

    def test_an_event_is_about_what_its_class_says(self) -> None:
        outbox.publish(updated("n7", account_id="a5"))
        outbox.publish(KeyRevoked(account_id="a5", key="pk_1"))
        outbox.publish(updated("n" * 500))
        entities = [row.entity for row in thd_oldest(10)]
        self.assertEqual(entities[:2], ["a5/n7", "pk_1"])
        self.assertEqual(len(entities[2]), 200)

    def test_those_of_an_entity_can_be_left_where_they_are(self) -> None:
        for name in "aba":
            outbox.publish(updated(name))
        self.assertEqual([row.entity for row in thd_oldest(10, ["a1/a"])], ["a1/b"])

    def test_what_is_settled_is_gone_however_often_it_is_said(self) -> None:
        for name in "abc":
            outbox.publish(updated(name))
        rows = thd_oldest(10)
        for _ in range(2):
            thd_settle([row.id for row in rows[:2]])
        self.assertEqual(thd_oldest(10), rows[2:])

    def test_what_was_written_earlier_and_committed_later_is_seen(self) -> None:
        outbox.publish(updated("late"))
        (late,) = OutboxEvent.objects.all()
        OutboxEvent.objects.all().delete()
        outbox.publish(updated("early"))
        thd_settle([row.id for row in thd_oldest(10)])
        late.save(force_insert=True)
        self.assertEqual([row.entity for row in thd_oldest(10)], ["a1/late"])

    def test_the_backlog_is_how_many_wait_and_since_when(self) -> None:
        self.assertEqual(thd_backlog(), (0, 0))
        for name in "ab":
            outbox.publish(updated(name))
        oldest = OutboxEvent.objects.order_by("id")[0]
        self.assertEqual(thd_backlog(), (2, oldest.written_ms))


class CommitTest(TransactionTestCase):
    def setUp(self) -> None:
        self.wakes: list[int] = []
        self.addCleanup(waking.on_commit(lambda: self.wakes.append(OutboxEvent.objects.count())))

    def test_an_event_and_its_change_are_one_and_the_relay_is_woken_after_the_commit(self) -> None:
        with transaction.atomic():
            outbox.publish(updated())
            self.assertEqual(self.wakes, [])
        self.assertEqual(self.wakes, [1])

    def test_of_a_change_that_was_undone_nothing_remains(self) -> None:
        with transaction.atomic():
            outbox.publish(updated())
            transaction.set_rollback(True)
        self.assertEqual((self.wakes, thd_oldest(10)), ([], []))

    def test_without_a_transaction_it_is_committed_at_once(self) -> None:
        outbox.publish(updated())
        self.assertEqual(self.wakes, [1])


def test_an_entity_that_is_refused_waits_longer_each_time_up_to_a_limit() -> None:
    clock = Clock()
    held = Held(clock)
    waits = []
    for _ in range(12):
        held.hold("n1")
        began = clock.seconds()
        while held.waiting():
            clock.advance(0.05)
        waits.append(clock.seconds() - began)
    assert 0.25 <= waits[0] <= 0.6
    assert 7 <= waits[-1] <= 15.1
    held.release("n1")
    held.hold("n1")
    clock.advance(0.51)
    assert held.waiting() == []
