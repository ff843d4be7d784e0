"""The one type by which everything in this package knows the reactor."""

from typing import Protocol

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorProcess,
    IReactorSSL,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
)


class Reactor(
    IReactorCore, IReactorProcess, IReactorSSL, IReactorTCP, IReactorThreads, IReactorTime, Protocol
):  # type: ignore[misc]
    """A reactor that can do all that server processes need."""
