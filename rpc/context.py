"""What travels with every call: the correlation id of what caused it, and when the caller stops waiting."""

from picket import correlation
from rpc import idl


def make(deadline_s: float) -> idl.Context:
    """The context of a call made now; `deadline_s` is in seconds since the epoch."""
    return idl.Context(correlation_id=correlation.current(), deadline_ms=int(deadline_s * 1000))
