"""Frames for tests."""

from typing import Any

import msgspec

from timeseries.frames import Frame

ACCOUNT, OTHER_ACCOUNT = "a0000000001", "a0000000002"
NODE, OTHER_NODE = "n0000000001", "n0000000002"


def frame(time_ms: int, origin: str = "a:1", payload: bytes = b"{}", **fields: Any) -> Frame:
    """A frame of NODE; `fields` override account_id, node_id and received_ms."""
    identity: dict[str, Any] = {"account_id": ACCOUNT, "node_id": NODE, "received_ms": time_ms + 20} | fields
    return Frame(origin=origin, time_ms=time_ms, payload=payload, **identity)


def result(check: str = "cpu", **metrics: float | str) -> dict[str, Any]:
    """One check's result, as an agent sends it."""
    return {"check": check, "metrics": metrics}


def payload(time_ms: int, *results: dict[str, Any]) -> bytes:
    """A frame's payload in plain JSON."""
    return msgspec.json.encode({"time": time_ms, "results": results})


def measured(time_ms: int, *results: dict[str, Any], origin: str = "a:1", **fields: Any) -> Frame:
    """A frame of NODE with these results."""
    return frame(time_ms, origin, payload(time_ms, *results), **fields)
