"""What callers hold: an object with an interface's methods, whatever carries the calls."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from picket import correlation
from rpc import idl
from statslib import Stats

DEADLINE_S = 10.0
"""How long a call may take, all its attempts together, unless its proxy was told otherwise."""

Arguments = Callable[[float], Sequence[Any]]
"""Makes the arguments, in the IDL's order, of an attempt whose caller waits so many seconds."""


class Carrier(Protocol):
    """Brings calls to a server; returns (or is awaited for) the result, raises errors of `rpc.errors`."""

    def call(self, method: str, arguments: Arguments) -> Any:
        """Make a call."""

    def close(self) -> Any:
        """Let go of connections; calls under way fail with Unavailable."""


class Proxy:
    """An interface's methods, with the IDL's names and arguments but for the context, which is made here.

    Each is measured in `stats` as call_<interface>_<method>, from the call to its answer.
    """

    def __init__(self, interface: str, carrier: Carrier, stats: Stats | None = None) -> None:
        self._interface = interface
        self._carrier = carrier
        self._calls: dict[str, Callable[[Arguments], Any]] = {}
        for method in idl.methods(interface):
            call = partial(carrier.call, method)
            self._calls[method] = stats.time_calls(f"call_{interface}_{method}")(call) if stats else call

    def __getattr__(self, method: str) -> Callable[..., Any]:
        if method.startswith("_") or method not in self._calls:
            raise AttributeError(f"{self._interface} has no method {method!r}")
        return lambda *positional, **named: self._call(method, positional, named)

    def _call(self, method: str, positional: Sequence[Any], named: dict[str, Any]) -> Any:
        ordered = idl.parameters(self._interface, method)
        names = [name for name in ordered if name != "context"]
        values = dict(zip(names, positional, strict=False)) | named
        if len(positional) + len(named) != len(names) or set(values) != set(names):
            raise TypeError(f"{self._interface}.{method} takes {', '.join(names)}")
        correlation_id = correlation.current()

        def arguments(timeout_s: float) -> list[Any]:
            values["context"] = idl.Context(correlation_id=correlation_id, timeout_ms=int(timeout_s * 1000))
            return [values[name] for name in ordered]

        return self._calls[method](arguments)

    def close(self) -> Any:
        """Let go of connections; of an async proxy, await it."""
        return self._carrier.close()
