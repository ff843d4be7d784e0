"""What a service is: a class that the runner builds with what its constructor asks for by name, and hosts.

A service translates: event -> call -> event. Rules and storage live in the domain packages.
"""

from typing import ClassVar

from eventframework.policy import Share
from eventframework.topology import Subscription, Tap


class Service:
    """Base of all services; the first line of a subclass's docstring is its line in `picket services`.

    The constructor's keyword-only parameters are given by name (see `services.runner`). `streams` and
    `subscriptions` say what the broker must hold ready before anybody publishes; binding the handlers to them
    is the work of `setup`. `uses_django`: Django is to be set up before it is built.
    """

    name: ClassVar[str]
    streams: ClassVar[tuple[tuple[str, Share], ...]] = ()
    subscriptions: ClassVar[tuple[Subscription, ...]] = ()
    uses_django: ClassVar[bool] = False

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
