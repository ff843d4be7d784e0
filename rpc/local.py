"""The proxies of `rpc.client` for a service in the same process: no bytes, no socket, the same errors."""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import blockingCallFromThread
from twisted.python.threadable import isInIOThread

from rpc.dispatcher import Dispatcher
from rpc.proxy import DEADLINE_S, Arguments, Proxy


def connect(interface: str, dispatcher: Dispatcher, deadline_s: float = DEADLINE_S) -> Proxy:
    """A proxy whose calls are awaited, in the reactor's thread."""
    return Proxy(interface, _Local(interface, dispatcher, deadline_s))


def blocking(
    interface: str, dispatcher: Dispatcher, reactor: IReactorFromThreads, deadline_s: float = DEADLINE_S
) -> Proxy:
    """A proxy for other threads than the reactor's: its calls wait for the answer."""
    return Proxy(interface, _Blocking(interface, dispatcher, reactor, deadline_s))


class _Local:
    def __init__(self, interface: str, dispatcher: Dispatcher, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._interface = interface
        self._dispatcher = dispatcher

    def call(self, method: str, arguments: Arguments) -> Any:
        return self._dispatcher.call(self._interface, method, arguments(self._deadline_s))

    async def close(self) -> None:
        """Nothing is held."""


class _Blocking:
    def __init__(
        self, interface: str, dispatcher: Dispatcher, reactor: IReactorFromThreads, deadline_s: float
    ) -> None:
        self._deadline_s = deadline_s
        self._interface = interface
        self._dispatcher = dispatcher
        self._reactor = reactor

    def call(self, method: str, arguments: Arguments) -> Any:
        if isInIOThread():
            raise RuntimeError("a blocking call in the reactor's thread would wait for itself")
        return blockingCallFromThread(self._reactor, self._call, method, arguments(self._deadline_s))

    def _call(self, method: str, arguments: Sequence[Any]) -> Deferred[Any]:
        return Deferred.fromCoroutine(self._dispatcher.call(self._interface, method, arguments))

    def close(self) -> None:
        """Nothing is held."""
