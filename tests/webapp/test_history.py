"""webapp.nodes.history: what is kept of the events that tell of a node."""

from typing import Any

from eventframework.catalogue import AgentConnected, AgentDisconnected, NodeRegistered, StateChanged
from tests.webapp.base import TenantTestCase
from webapp.nodes import history
from webapp.nodes.models import Node, NodeEvent


class HistoryTestCase(TenantTestCase):
    def connected(self, time_ms: int = 1000, connection_id: str = "c1", node: Node | None = None) -> None:
        history.thd_note(AgentConnected(**self.about(time_ms, connection_id, node or self.node)))

    def disconnected(self, time_ms: int, reason: str) -> None:
        history.thd_note(AgentDisconnected(**self.about(time_ms, "c1", self.node), reason=reason))

    def changed(self, time_ms: int, new: str, kind: str = "data") -> None:
        which = {"account_id": self.account.pk, "node_id": self.node.pk}
        history.thd_note(StateChanged(**which, kind=kind, old="unknown", new=new, time_ms=time_ms))

    def about(self, time_ms: int, connection_id: str, node: Node) -> dict[str, Any]:
        which = {"account_id": self.account.pk, "node_id": node.pk, "gateway_id": "g1"}
        return {**which, "connection_id": connection_id, "time_ms": time_ms}

    def kinds(self) -> list[str]:
        return [event.kind for event in history.recent(self.node, 1000)]

    def test_what_happens_to_a_node_is_kept_the_newest_first(self) -> None:
        registered = NodeRegistered(account_id=self.account.pk, node_id=self.node.pk, name="web1")
        history.thd_note(registered)
        now_ms = round(self.node.created.timestamp() * 1000)
        self.changed(now_ms + 2, "present")
        self.connected(now_ms + 1)
        self.disconnected(now_ms + 3, "idle")
        self.changed(now_ms + 4, "absent")
        self.assertEqual(self.kinds(), ["absent", "disconnected", "present", "connected", "registered"])

    def test_an_event_told_twice_is_kept_once(self) -> None:
        registered = NodeRegistered(account_id=self.account.pk, node_id=self.node.pk, name="web1")
        for _ in range(2):
            history.thd_note(registered)
            self.connected(1000, "c1")
            self.changed(2000, "present")
        self.assertEqual(self.node.events.count(), 3)

    def test_what_a_state_service_finds_when_it_starts_again_is_no_news(self) -> None:
        for time_ms, new in ((1000, "present"), (2000, "present"), (3000, "absent"), (4000, "absent")):
            self.changed(time_ms, new)
        self.assertEqual(self.kinds(), ["absent", "present"])

    def test_two_connections_are_two_events(self) -> None:
        self.connected(1000, "c1")
        self.connected(1000, "c2")
        self.assertEqual(self.kinds(), ["connected", "connected"])

    def test_an_event_that_names_another_accounts_node_is_ignored(self) -> None:
        self.connected(node=self.foreign_node)
        self.assertEqual(NodeEvent.objects.count(), 0)

    def test_an_event_of_a_node_that_is_gone_is_ignored(self) -> None:
        gone = Node(account=self.account, id="n0123456789")
        self.connected(node=gone)
        self.assertEqual(NodeEvent.objects.count(), 0)

    def test_a_change_of_another_kind_is_no_history_of_the_node(self) -> None:
        self.changed(1000, "present", kind="check")
        self.changed(1000, "strange")
        self.assertEqual(self.kinds(), [])

    def test_a_disconnect_says_its_reason_in_words(self) -> None:
        self.disconnected(1000, "idle")
        self.assertEqual(history.recent(self.node, 1)[0].text, "silent for too long")
        self.node.events.all().delete()
        self.disconnected(1000, "bad_" + "x" * 300)
        self.assertEqual(history.recent(self.node, 1)[0].text, "bad " + "x" * 196)

    def test_only_the_newest_of_each_node_are_kept(self) -> None:
        other = self.account.nodes.create(name="web2")
        self.connected(1, "other", other)
        for number in range(history.KEPT + 5):
            self.connected(1000 + number, f"c{number}")
        self.assertEqual(self.node.events.count(), history.KEPT)
        self.assertEqual(history.recent(self.node, 1000)[-1].time_ms, 1005)
        self.assertEqual(other.events.count(), 1)

    def test_a_nodes_history_goes_with_it(self) -> None:
        self.connected()
        self.node.delete()
        self.assertEqual(NodeEvent.objects.count(), 0)
