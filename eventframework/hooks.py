"""The ready hooks of a broker: run at each connect, and at once when added while connected."""

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from eventframework.broker import Hook


class Hooks:
    """What is to run whenever the broker is there; one that fails is logged and stops no other."""

    def __init__(self) -> None:
        self.up = False
        self._hooks: list[Hook] = []

    def add(self, hook: Hook) -> None:
        """Run `hook` from now on, and now if the broker is there."""
        self._hooks.append(hook)
        if self.up:
            Deferred.fromCoroutine(_run(hook))

    async def run(self) -> None:
        """The broker has come: run them all in the order in which they were added."""
        self.up = True
        for hook in list(self._hooks):
            await _run(hook)


async def _run(hook: Hook) -> None:
    try:
        await hook()
    except Exception:  # noqa: BLE001 - one service's hook must not keep the others from theirs
        Logger(namespace="eventframework").failure("A ready hook failed")
