"""One service's life in its process: built, set up and started, and again with a backoff until it is up."""

import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from eventframework.clock import Clock, sleep
from eventframework.framework import Framework
from services import base
from services.base import Service
from statslib import Stats
from timeseries.errors import StoreUnavailable

FATAL = (CannotListenError,)
"""What a person has to mend: at the first try it ends the start of the process."""

BACKOFF_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 40.0)
"""Waits after each failure, the last one for ever; jitter makes up to half as much again of them."""


class House(Protocol):
    """What a service is built from, and who lets calls in to it."""

    def new_bus(self) -> Framework:
        """A way to the broker whose subscriptions can be undone apart from others'."""

    async def build(self, cls: type[Service], bus: Framework) -> Service:
        """The service, with what it needs opened."""

    def admit(self, service: Service) -> None:
        """Let calls in to it."""

    def dismiss(self, service: Service) -> None:
        """Let no calls in to it any more."""


class Hosted:
    """Keeps one service. FATAL errors of its first try are raised; after all others it is tried again."""

    _log = Logger(namespace="services")

    def __init__(self, cls: type[Service], house: House, clock: Clock, stats: Stats) -> None:
        self.cls = cls
        self.service: Service | None = None
        self.up = False
        self.came: Deferred[None] = Deferred()
        """Fires when it is up."""
        self._house, self._clock, self._stats = house, clock, stats
        self._bus: Framework | None = None
        self._retrying: Deferred[None] | None = None
        self._failures = 0
        self._stopping = False
        stats.unready = "starting"

    async def set_up(self) -> None:
        """Build it and set it up, its parts too; a failure takes down what there is."""
        await self._attempt(self._set_up)

    async def start(self) -> None:
        """Start it and let calls in, if it is set up; a failure takes down what there is."""
        if self.service is not None:
            await self._attempt(lambda: self._start_up(self.service))

    def keep_trying(self) -> None:
        """Try again, in the background, what is not up."""
        if not self.up:
            self._retrying = Deferred.fromCoroutine(self._retry())

    async def drain(self) -> None:
        """Try no more, and begin nothing more of its own accord; it may still publish."""
        self._stopping = True
        self._stats.unready = "stopping"
        if self._retrying is not None:
            self._retrying.cancel()
        if self.service is not None:
            await self._leave_in_order(base.drain(self.service))

    async def finish(self) -> None:
        """Take nothing more, and let its handlers under way finish."""
        if self._bus is not None:
            await self._bus.drain()

    async def take_down(self) -> None:
        """Undo its subscriptions, and stop it."""
        bus, self._bus = self._bus, None
        service, self.service = self.service, None
        if bus is not None:
            await bus.leave()
        if service is not None:
            self._house.dismiss(service)
            await self._leave_in_order(base.stop(service))

    async def _set_up(self) -> None:
        self._bus = self._house.new_bus()
        self.service = await self._house.build(self.cls, self._bus)
        await base.set_up(self.service)

    async def _start_up(self, service: Service | None) -> None:
        if service is None:
            return
        await base.start(service)
        self._house.admit(service)
        self._log.info("{service} is up", service=self.cls.name)
        self.up, self._stats.unready = True, ""
        self.came.callback(None)

    async def _attempt(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except Exception as error:
            if self._stopping and isinstance(error, CancelledError):
                return
            if self._retrying is None and isinstance(error, FATAL):
                raise
            self._failures += 1
            self._stats.increment("starts_failed")
            self._stats.unready = f"{type(error).__name__}: {error}"
            self._tell(error)
            await self.take_down()

    def _tell(self, error: Exception) -> None:
        if isinstance(error, StoreUnavailable):  # It says what is to be done; a traceback does not.
            self._log.error("{service} could not start: {error}", service=self.cls.name, error=error)
        else:
            self._log.failure("{service} could not start", service=self.cls.name)

    async def _leave_in_order(self, leaving: Awaitable[None]) -> None:
        try:
            await leaving
        except Exception:  # noqa: BLE001 - it goes, however badly
            self._log.failure("{service} did not stop cleanly", service=self.cls.name)

    async def _retry(self) -> None:
        while not self.up and not self._stopping:
            backoff_s = BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1]
            delay_s = backoff_s * random.uniform(1, 1.5)  # noqa: S311 - so that many do not come at once
            self._log.info("{service}: again in {delay:.1f} s", service=self.cls.name, delay=delay_s)
            try:
                await sleep(self._clock, delay_s)
            except CancelledError:
                return
            await self.set_up()
            await self.start()
