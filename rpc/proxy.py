"""What callers hold: an object with an interface's methods, whatever carries the calls."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from rpc import context, idl

DEADLINE_S = 10.0
"""How long a call may take unless its proxy was told otherwise."""


Endpoints = Sequence[tuple[str, int]]
"""(host, port) of every process that serves the interface."""


class Carrier(Protocol):
    """Brings calls to a server; returns (or is awaited for) the result, raises errors of `rpc.errors`."""

    deadline_s: float

    def now(self) -> float:
        """Seconds since the epoch."""

    def call(self, method: str, arguments: Sequence[Any]) -> Any:
        """Make a call; `arguments` are in the IDL's order, the context included."""

    def close(self) -> Any:
        """Let go of connections; calls under way fail with Unavailable."""


class Proxy:
    """An interface's methods, with the IDL's names and arguments but for the context, which is made here."""

    def __init__(self, interface: str, carrier: Carrier) -> None:
        self._interface = interface
        self._carrier = carrier

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_") or method not in idl.methods(self._interface):
            raise AttributeError(f"{self._interface} has no method {method!r}")
        return lambda *positional, **named: self._call(method, positional, named)

    def _call(self, method: str, positional: Sequence[Any], named: dict[str, Any]) -> Any:
        names = [name for name in idl.parameters(self._interface, method) if name != "context"]
        values = dict(zip(names, positional, strict=False)) | named
        if len(positional) + len(named) != len(names) or set(values) != set(names):
            raise TypeError(f"{self._interface}.{method} takes {', '.join(names)}")
        values["context"] = context.make(self._carrier.now() + self._carrier.deadline_s)
        ordered = [values[name] for name in idl.parameters(self._interface, method)]
        return self._carrier.call(method, ordered)

    def close(self) -> Any:
        """Let go of connections; of an async proxy, await it."""
        return self._carrier.close()


def attempts(count: int, preferred: int) -> Iterator[tuple[int, int]]:
    """(endpoint, attempts left that may use up the time) for one call, the preferred endpoint first."""
    for tried in range(count):
        yield (preferred + tried) % count, count - tried
    if count == 1:
        yield 0, 1
