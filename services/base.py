"""What a service is: a class that the runner builds with what its constructor asks for by name, and hosts.

A service translates: event -> call -> event. Rules and storage live in the domain packages.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import ClassVar

from eventframework.policy import Share
from eventframework.topology import Subscription, Tap


class Service:
    """Base of all services; the first line of a subclass's docstring is its line in `picket services`.

    The constructor's keyword-only parameters are given by name (see `services.runner`). `streams` and
    `subscriptions` say what the broker must hold ready before anybody publishes; binding the handlers to them
    is the work of `setup`. `uses_django`: Django is to be set up before it is built.

    `parts` are smaller services that it owns: each is set up and started after it, in order, and stopped
    before it, the last one first.
    """

    name: ClassVar[str]
    streams: ClassVar[tuple[tuple[str, Share], ...]] = ()
    subscriptions: ClassVar[tuple[Subscription, ...]] = ()
    uses_django: ClassVar[bool] = False
    parts: Sequence["Service"] = ()

    @classmethod
    def taps(cls) -> tuple[Tap, ...]:
        """Its streams as the topology has them: the tag is the service's name."""
        return tuple(Tap(stream, cls.name, share) for stream, share in cls.streams)

    async def setup(self) -> None:
        """Bind handlers and open what is the service's own; nothing arrives yet."""

    async def start(self) -> None:
        """Begin work; messages and calls arrive from now on."""

    async def drain(self) -> None:
        """Begin nothing more of its own accord, and finish what has begun; the bus is still there."""

    async def stop(self) -> None:
        """Finish and close what is the service's own; handlers and calls under way are done by then."""


async def set_up(service: Service) -> None:
    """The service, then its parts."""
    await service.setup()
    for part in service.parts:
        await set_up(part)


async def start(service: Service) -> None:
    """The service, then its parts."""
    await service.start()
    for part in service.parts:
        await start(part)


async def drain(service: Service) -> None:
    """Its parts, the last first, then the service; one that fails keeps no other from it."""
    async with AsyncExitStack() as last_first:
        last_first.push_async_callback(service.drain)
        for part in service.parts:
            last_first.push_async_callback(drain, part)


async def stop(service: Service) -> None:
    """Its parts, the last first, then the service; one that fails keeps no other from it."""
    async with AsyncExitStack() as last_first:
        last_first.push_async_callback(service.stop)
        for part in service.parts:
            last_first.push_async_callback(stop, part)
