"""Brings a call to the handler of its interface, and makes an error of ours of whatever goes wrong there."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError  # noqa: A004 - Twisted's name
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from picket import correlation
from rpc import idl
from rpc.errors import RpcError, Unavailable
from statslib import Stats
from statslib.watch import timed

_log = Logger(namespace="rpc")


class Dispatcher:
    """The handlers of a process, by interface. Measures calls in `stats` as rpc_<interface>_<method>."""

    def __init__(self, clock: IReactorTime, stats: Stats) -> None:
        self._clock = clock
        self._stats = stats
        self._handlers: dict[str, Any] = {}

    @property
    def interfaces(self) -> list[str]:
        """Those that have a handler."""
        return sorted(self._handlers)

    def serve(self, interface: str, handler: object) -> None:
        """Give an interface its handler: async methods with the IDL's names and arguments, context included.

        They raise Refused or Unavailable of `rpc.errors`; anything else reaches callers as Unavailable.
        """
        missing = [name for name in idl.methods(interface) if not callable(getattr(handler, name, None))]
        if missing:
            raise TypeError(f"{handler!r} lacks {', '.join(missing)} of {interface}")
        self._handlers[interface] = handler

    def forget(self, handler: object) -> None:
        """Serve nothing by this handler any more."""
        self._handlers = {name: other for name, other in self._handlers.items() if other is not handler}

    async def call(self, interface: str, method: str, arguments: Sequence[Any]) -> Any:
        """The handler's answer; raises only Refused and Unavailable. Ends at the caller's deadline."""
        given = arguments[idl.parameters(interface, method).index("context")] or idl.Context()
        with correlation.scope(given.correlation_id or ""):
            return await self._call(interface, method, arguments, given.timeout_ms or 0)

    async def _call(self, interface: str, method: str, arguments: Sequence[Any], timeout_ms: int) -> Any:
        _log.debug("{interface}.{method} is called", interface=interface, method=method)
        try:
            with self._measured(f"rpc_{interface}_{method}"):
                return await self._answer(interface, method, arguments, timeout_ms)
        except RpcError:
            raise
        except (CancelledError, TimeoutError) as error:
            raise Unavailable(f"{interface}.{method}: no answer before the caller's deadline") from error
        except Exception as error:
            _log.failure("{interface}.{method} failed", interface=interface, method=method)
            raise Unavailable(f"{interface}.{method}: internal error") from error

    def _measured(self, name: str) -> AbstractContextManager[None]:
        return timed(self._stats.operation(name), self._stats.averages[f"{name}_s"], monotonic)

    def _answer(
        self, interface: str, method: str, arguments: Sequence[Any], timeout_ms: int
    ) -> Deferred[Any]:
        if interface not in self._handlers:
            raise Unavailable(f"{interface} is not served here")
        handler = getattr(self._handlers[interface], method)
        answer: Deferred[Any] = Deferred.fromCoroutine(handler(*arguments))
        if timeout_ms > 0:
            answer.addTimeout(timeout_ms / 1000, self._clock)
        return answer
