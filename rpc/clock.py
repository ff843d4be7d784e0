"""What remote calls need of the reactor; a test's `Clock` has it too."""

from collections.abc import Callable
from typing import Any, Protocol


class Clock(Protocol):
    """Of IReactorTime: seconds since the epoch, and calls later."""

    def seconds(self) -> float:
        """The time."""

    def callLater(self, __delay_s: float, __call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Call after a delay; returns an IDelayedCall."""


class Reactor(Clock, Protocol):
    """A clock with sockets and threads: the real reactor."""

    def listenTCP(self, __port: int, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Listen with a factory."""

    def callFromThread(self, __call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:  # noqa: N802
        """Call in the reactor's thread."""
