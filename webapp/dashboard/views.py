"""The pages of nodes: all of them, one of them, and how to add one."""

from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

import rpc.errors
from webapp import backend, live_ticket
from webapp.accounts.keys import create_key
from webapp.accounts.models import Account, ApiKey
from webapp.dashboard import history, install
from webapp.dashboard.account import demand_change, page
from webapp.dashboard.data import latest_of
from webapp.dashboard.latest import Summary, result_of, summarize
from webapp.errors import BackendUnavailable
from webapp.nodes.models import Node

SPANS = {
    "now-15m": "15 m",
    "now-1h": "1 h",
    "now-6h": "6 h",
    "now-24h": "24 h",
    "now-7d": "7 d",
    "now-30d": "30 d",
}
AWAY = (BackendUnavailable, rpc.errors.Unavailable)


@page
def overview(request: HttpRequest, account: Account) -> HttpResponse:
    """Every node of the account in a line."""
    nodes = list(account.nodes.prefetch_related("tags"))
    context = _live(account) | {"here": "servers", "nodes": nodes, "summaries": [], "away": False}
    try:
        context["summaries"] = _summaries(account, nodes)
    except AWAY:
        context["away"] = True
    for each in nodes:
        each.contact_ms = _milliseconds(each.last_hello)  # type: ignore[attr-defined]
    return render(request, "overview.html", context)


@page
def node(request: HttpRequest, account: Account, node_id: str) -> HttpResponse:
    """The graphs and the history of one node."""
    found = get_object_or_404(account.nodes.prefetch_related("tags"), pk=node_id)
    context = _live(account) | {"node": found, "spans": SPANS, "latest": [], "away": False}
    context["history"] = history.lines(found)
    try:
        context["latest"] = latest_of(account, found.pk)
    except AWAY:
        context["away"] = True
    return render(request, "node.html", context)


@page
@never_cache
def add(request: HttpRequest, account: Account) -> HttpResponse:
    """How to install an agent; a POST makes the key that goes into its line."""
    known = " ".join(account.nodes.values_list("pk", flat=True))
    context = _live(account) | {"known": known, "lines": None, "only_here": install.only_here()}
    if request.method == "POST":
        demand_change(request, account)
        name = f"agents, {timezone.now():%Y-%m-%d %H:%M}"
        key = create_key(account, name, [ApiKey.Permission.AGENT])
        context["lines"] = install.lines(key, request)
    return render(request, "add.html", context)


def _summaries(account: Account, nodes: list[Node]) -> list[dict[str, Any]]:
    if not nodes:
        return []
    shots = backend.live().snapshot(account.pk, [each.pk for each in nodes])
    return [msgspec.to_builtins(_summary(shot)) for shot in shots]


def _summary(shot: Any) -> Summary:
    return summarize(shot.node_id, shot.time_ms, (result_of(state) for state in shot.checks))


def _live(account: Account) -> dict[str, Any]:
    return {"account": account, "ticket": live_ticket.make(account.pk, settings.SECRET_KEY)}


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0
