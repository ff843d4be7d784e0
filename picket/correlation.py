"""The id by which everything that one request, frame or event caused can be found again, across processes.

It is set where work comes in (an HTTP request, an agent's connection, a delivery, a remote call), travels
with events and remote calls, and follows coroutines and threads that copy their caller's context.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current() -> str:
    """The id of what is being worked on; empty outside of any scope."""
    return _current.get()


@contextmanager
def scope(correlation_id: str = "") -> Iterator[str]:
    """Work under this id, or under a new one."""
    chosen = correlation_id or uuid.uuid4().hex
    token = _current.set(chosen)
    try:
        yield chosen
    finally:
        _current.reset(token)
