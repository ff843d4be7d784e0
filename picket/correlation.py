"""The id by which everything that one request, frame or event caused can be found again, across processes.

A scope is set where work comes in (an HTTP request, an agent's message, a delivery, a remote call); its id
travels with events and remote calls, and the scope follows coroutines and threads that copy their caller's
context. It is open until the last of those who entered it has left: what goes on in the background enters it
anew, `with scope(current()):`. A scope that is over counts as none, because a reactor's timers and
transports keep the context in which they were made.

A scope also keeps the log lines that nobody wants unless the work fails: see docs/logging.md.
"""

import re
import uuid
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

Write = Callable[[Any, str], None]
"""Writes a log event with the id of its scope."""

_PLAUSIBLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII
)


class Work:
    """What a scope is about: one request, message or call. `failed`: keep no lines back any more."""

    __slots__ = ("_id", "_kept", "failed", "users")

    def __init__(self, correlation_id: str) -> None:
        self._id = correlation_id
        self._kept: deque[tuple[Write, Any]] | None = None
        self.users = 0
        self.failed = False

    @property
    def id(self) -> str:
        """Its id, made when it is first asked for."""
        if not self._id:
            self._id = uuid.uuid4().hex
        return self._id

    def adopt(self, correlation_id: str) -> None:
        """Go by this id, which came with what is worked on; none changes nothing."""
        self._id = correlation_id or self._id

    def keep(self, write: Write, event: Any, most: int) -> None:
        """Keep a line of the log, one of the newest `most`."""
        if self._kept is None:
            self._kept = deque(maxlen=most)
        self._kept.append((write, event))

    def fail(self) -> None:
        """Write what was kept; lines that come later are not kept back."""
        self.failed = True
        kept, self._kept = self._kept, None
        for write, event in kept or ():
            write(event, self.id)


_current: ContextVar[Work | None] = ContextVar("work", default=None)


def here() -> Work | None:
    """What is being worked on; None outside of any scope."""
    work = _current.get()
    return work if work is not None and work.users else None


def current() -> str:
    """The id of what is being worked on; empty outside of any scope."""
    work = here()
    return work.id if work is not None else ""


def adopt(correlation_id: str) -> None:
    """Go by the id that came with what is being worked on."""
    if (work := here()) is not None:
        work.adopt(correlation_id)


def fail() -> None:
    """What is being worked on has failed, though no exception leaves its scope."""
    if (work := here()) is not None:
        work.fail()


class scope:  # noqa: N801 - read as a word of the language: `with scope(id):`
    """Work under this id, or under a new one; within a scope of the same id, it is that scope.

    An exception that leaves it is its failure, unless its class says that it is `expected`.
    """

    __slots__ = ("_id", "_token", "_work")

    def __init__(self, correlation_id: str = "") -> None:
        self._id = correlation_id

    def __enter__(self) -> Work:
        work = here()
        if work is None or not self._id or work.id != self._id:
            work = Work(self._id)
        self._work = work
        self._work.users += 1
        self._token: Token[Work | None] = _current.set(self._work)
        return self._work

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not getattr(error, "expected", False):
            self._work.fail()
        self._work.users -= 1
        try:  # noqa: SIM105 - suppress() costs more than all the rest
            _current.reset(self._token)
        except ValueError:
            pass  # A coroutine that nobody will finish is closed wherever it is collected.


def from_headers(request_id: str, traceparent: str) -> str:
    """The id that an HTTP request brings in X-Request-ID or traceparent, if it is plausible, else empty."""
    if _PLAUSIBLE.fullmatch(request_id):
        return request_id
    trace = _TRACEPARENT.fullmatch(traceparent)
    return trace[1] if trace else ""
