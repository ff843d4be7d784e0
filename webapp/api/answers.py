"""How nodes and checks look in the API: the original's names, in both versions."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import HttpResponse

from webapp.nodes.models import Node
from webapp.nodes.states import CONNECTED, AgentStates

COLOURS = {CONNECTED: "#2E9E5B"}
GREY = "#8A8F98"
# A node without a provider, known by its agent alone.
PROVIDER = {"provider_id": "agent", "provider_name": "agent"}


def answer(body: Any) -> HttpResponse:
    """`body` as JSON, in the order of its keys."""
    return HttpResponse(orjson.dumps(body), content_type="application/json")


def nodes_v1(nodes: QuerySet[Node], states: AgentStates) -> list[dict[str, Any]]:
    """The nine fields of each node that clients of version 1.0 read; two queries, and no models."""
    tags: defaultdict[str, list[str]] = defaultdict(list)
    tagged = nodes.filter(tags__isnull=False).order_by("tags__name")
    for node_id, tag in tagged.values_list("id", "tags__name"):
        tags[node_id].append(tag)
    rows = nodes.values_list("id", "name", "ip_address", "last_hello")
    return [
        {
            "id": node_id,
            "name": name,
            "ipaddress": ip_address or "",
            "status": "running" if last_hello else "pending",
            "agent_state": states[node_id],
            "color": COLOURS.get(states[node_id], GREY),
            "tags": tags[node_id],
            **PROVIDER,
        }
        for node_id, name, ip_address, last_hello in rows
    ]


def nodes_v2(nodes: QuerySet[Node], states: AgentStates) -> dict[str, Any]:
    """As in version 1.0, and what its owner keeps about each node."""
    details = dict(nodes.exclude(details={}).values_list("id", "details"))
    items = nodes_v1(nodes, states)
    return {"items": [item | {"details": details.get(item["id"], {})} for item in items]}


def check_v1(check: Any) -> dict[str, Any]:
    """A `CheckState` as `{"check", "status", "metrics": [{"name", "type", "value"}]}`."""
    metrics = [
        {"name": metric.name, "type": metric.kind, "value": _value(metric.kind, metric.value)}
        for metric in check.metrics
    ]
    known = {metric["name"]: metric["value"] for metric in metrics}
    return {"check": check.check, "status": check.status, "metrics": [*metrics, *_added(known)]}


def pick(states: Iterable[Any], check: str, key: str | None) -> Any | None:
    """The state of `check` with `key`; where no key is wanted the root file system, or the first by key."""
    named = {state.key: state for state in states if state.check == check}
    if key is not None:
        return named.get(key)
    return next((named[key] for key in ("", "/", *sorted(named)) if key in named), None)


def _value(kind: str, text: str) -> int | float | str:
    if kind == "string":
        return text
    number = float(text)
    return int(text) if kind == "int" and text.lstrip("-").isdigit() else number


def _added(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What agents do not send and clients read."""
    total, used = known.get("mem_total"), known.get("mem_used")
    if "mem_percent_used" in known or not total or used is None:
        return []
    return [{"name": "mem_percent_used", "type": "float", "value": 100 * used / total}]
