"""One metric of the nodes of an account over time, all of them together."""

import math
import struct
import time
from typing import Any

from django.db.models import QuerySet

from rpc import idl
from timeseries.store import DAY_MS
from webapp import backend
from webapp.accounts.models import Account
from webapp.errors import Refused
from webapp.nodes.models import Node

LINES = ("total", "mean", "least", "greatest")


def across(
    account: Account,
    nodes: QuerySet[Node],
    question: idl.Across,
    start: int | None,
    end: int | None,
    percentiles: str,
) -> dict[str, Any]:
    """`question` answered for these nodes: from `start` to `end` (ms), else of the last day.

    Of each point its time, how many nodes have a value, and what these are together; null where none has.
    """
    question.node_ids = list(nodes.values_list("id", flat=True))
    question.end_ms = int(time.time() * 1000) if end is None else end
    question.start_ms = question.end_ms - DAY_MS if start is None else start
    asked = numbers(percentiles)
    question.percentiles = list(asked.values())
    found = backend.timeseries().across(account.pk, question)
    lines = [*(getattr(found, name) for name in LINES), *(found.percentiles or [])]
    return {
        "resolution": found.resolution,
        "due": found.due_are_in,
        "times": _integers(found.times),
        "nodes": _integers(found.counts),
        **dict(zip((*LINES, *(f"p{name}" for name in asked)), map(_floats, lines), strict=True)),
    }


def numbers(percentiles: str) -> dict[str, float]:
    """Those of a list with commas, by the way they were written."""
    words = [word.strip() for word in percentiles.split(",") if word.strip()]
    try:
        return {word: float(word) for word in words}
    except ValueError as error:
        raise Refused("bad_parameter", f"percentiles: {percentiles!r}; write for example 50,95") from error


def _integers(packed: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(packed) // 8}q", packed))


def _floats(packed: bytes) -> list[float | None]:
    values = struct.unpack(f"<{len(packed) // 8}d", packed)
    return [value if math.isfinite(value) else None for value in values]
