"""The nodes of an account in the order of one metric."""

import math
import time
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from rpc import idl
from timeseries.store import HOUR_MS
from webapp import backend
from webapp.accounts.models import Account
from webapp.nodes.models import Node

RECENT_MS = 15 * 60_000
"""How old a latest value may be."""


def top(
    account: Account, nodes: QuerySet[Node], rank: idl.Rank, hours: int, percentiles: Mapping[str, float]
) -> dict[str, Any]:
    """`rank` answered for these nodes: by their latest values, or over so many closed hours."""
    now_ms = int(time.time() * 1000)
    names = dict(nodes.values_list("id", "name"))
    rank.node_ids, rank.percentiles = list(names), list(percentiles.values())
    if rank.by == "latest":
        rank.start_ms = now_ms - RECENT_MS
        found = backend.live().rank(account.pk, rank)
    else:
        rank.end_ms = now_ms // HOUR_MS * HOUR_MS
        rank.start_ms = rank.end_ms - hours * HOUR_MS
        found = backend.timeseries().rank(account.pk, rank)
    items = [{"id": each.node_id, "name": names[each.node_id], "value": each.value} for each in found.top]
    whole = {"mean": found.mean} | dict(
        zip((f"p{name}" for name in percentiles), found.percentiles or [], strict=True)
    )
    whole = {name: None if math.isnan(value) else value for name, value in whole.items()}
    return {"items": items, "nodes": found.counted, "total": found.total, **whole}
