"""What happened to a node: kept from the events that tell of it, the newest `KEPT` of each node.

| event | kind | told apart by |
|---|---|---|
| NodeRegistered | registered | nothing: it happens once |
| AgentConnected, AgentDisconnected | connected, disconnected | the connection's id |
| StateChanged of `data` | present, absent | its time |
"""

from typing import Any

from django.db import transaction

from eventframework.catalogue import AgentConnected, AgentDisconnected, NodeRegistered, StateChanged
from webapp.nodes.models import Node, NodeEvent

KEPT = 200
REASONS = {
    "lost": "the connection was lost",
    "idle": "silent for too long",
    "stopping": "the gateway stopped",
    "key_revoked": "its key was revoked",
    "node_deleted": "it was deleted",
}
"""The gateway's codes in words; the others are words already."""

Told = NodeRegistered | AgentConnected | AgentDisconnected | StateChanged


def thd_note(event: Told) -> None:
    """Keep it, once however often it is told; of a node that the account does not have, nothing is kept."""
    with transaction.atomic():
        node = Node.objects.filter(account_id=event.account_id, pk=event.node_id).first()
        noted = _noted(event, node) if node else None
        if node and noted and not _is_known(event, node):
            kind, event_id, rest = noted
            _, new = node.events.get_or_create(kind=kind, event_id=event_id, defaults=rest)
            if new:
                _forget_the_oldest(node)


def recent(node: Node, limit: int) -> list[NodeEvent]:
    """The newest of a node's events, newest first."""
    return list(node.events.all()[:limit])


def _noted(event: Told, node: Node) -> tuple[str, str, dict[str, Any]] | None:
    """The kind, the event's id and the other fields; None for what is no history of a node."""
    match event:
        case NodeRegistered():
            return NodeEvent.Kind.REGISTERED, "", {"time_ms": round(node.created.timestamp() * 1000)}
        case AgentConnected():
            return NodeEvent.Kind.CONNECTED, event.connection_id, {"time_ms": event.time_ms}
        case AgentDisconnected():
            reason = REASONS.get(event.reason, event.reason.replace("_", " "))[:200]
            rest = {"time_ms": event.time_ms, "text": reason}
            return NodeEvent.Kind.DISCONNECTED, event.connection_id, rest
        case StateChanged(kind="data", new=NodeEvent.Kind.PRESENT | NodeEvent.Kind.ABSENT):
            return event.new, str(event.time_ms), {"time_ms": event.time_ms}
    return None


def _is_known(event: Told, node: Node) -> bool:
    """Whether it tells of no change: a `state` that starts again tells of every node that it finds."""
    presence = node.events.filter(kind__in=(NodeEvent.Kind.PRESENT, NodeEvent.Kind.ABSENT)).first()
    return isinstance(event, StateChanged) and presence is not None and presence.kind == event.new


def _forget_the_oldest(node: Node) -> None:
    beyond = list(node.events.values_list("pk", flat=True)[KEPT:])
    node.events.filter(pk__in=beyond).delete()
