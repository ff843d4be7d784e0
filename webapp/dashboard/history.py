"""The history of a node as its page shows it."""

from datetime import UTC, datetime
from typing import NamedTuple

from webapp.nodes.history import recent
from webapp.nodes.models import Node, NodeEvent

SHOWN = 12
ICONS: dict[str, str] = {
    NodeEvent.Kind.REGISTERED: "i-plus",
    NodeEvent.Kind.CONNECTED: "i-in",
    NodeEvent.Kind.DISCONNECTED: "i-out",
    NodeEvent.Kind.PRESENT: "i-ok",
    NodeEvent.Kind.ABSENT: "i-silent",
}


class Line(NamedTuple):
    """One event: its icon's id, what happened, why, and when."""

    kind: str
    icon: str
    words: str
    why: str
    time: datetime


def lines(node: Node) -> list[Line]:
    """The newest events of a node, newest first."""
    return [_line(event) for event in recent(node, SHOWN)]


def _line(event: NodeEvent) -> Line:
    time = datetime.fromtimestamp(event.time_ms / 1000, UTC)
    return Line(event.kind, ICONS[event.kind], event.get_kind_display(), event.text, time)
