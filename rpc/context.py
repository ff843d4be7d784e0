"""What travels with every call: the correlation id of what caused it, and when the caller stops waiting."""

from contextvars import ContextVar

from rpc import idl

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
"""The id of the HTTP request, frame or event being worked on; log it, and pass it on."""


def make(deadline_s: float) -> idl.Context:
    """The context of a call made now; `deadline_s` is in seconds since the epoch."""
    return idl.Context(correlation_id=correlation_id.get(), deadline_ms=int(deadline_s * 1000))
