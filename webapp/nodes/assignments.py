"""Which checks a node runs: the built-in set, until monitors add to it.

An empty key means every instance that the agent finds: each interface, each file system.
"""

from typing import Any, NamedTuple

from webapp.errors import Refused
from webapp.nodes.models import Node


class Assignment(NamedTuple):
    """One check that a node runs every `interval_s` seconds."""

    check: str
    key: str
    params: dict[str, Any]
    interval_s: int


PROTOCOL_2 = tuple(
    Assignment(check, "", {}, 10) for check in ("cpu", "mem", "disk", "net", "io", "loadaverage", "processes")
)
PROTOCOL_1 = (
    Assignment("cpu", "", {}, 60),
    Assignment("mem", "", {}, 60),
    Assignment("disk", "/", {"path": ["/"]}, 60),
    Assignment("net", "eth0", {"if_name": ["eth0"]}, 60),
    Assignment("loadaverage", "", {}, 60),
)


def thd_assignments(account_id: str, node_id: str) -> tuple[Assignment, ...]:
    """The whole assignment of a node; Refused("unknown_node") when the account has no such node."""
    node = Node.objects.filter(account_id=account_id, pk=node_id).only("protocol").first()
    if not node:
        raise Refused("unknown_node", f"this account has no node {node_id!r}")
    return PROTOCOL_1 if node.protocol < 2 else PROTOCOL_2
