"""picket.wiring: the hint to an outbox in another process."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred

from eventframework.catalogue import EventsCommitted
from eventframework.errors import PublishRefused
from picket.wiring import Hints, hint_the_outbox
from webapp.outbox import waking


class Bus:
    """Confirms a publish when the test says so."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.confirms: list[Deferred[None]] = []

    async def publish(self, event: Any) -> None:
        self.events.append(event)
        self.confirms.append(Deferred())
        await self.confirms[-1]


class Runner:
    """A process with these services."""

    def __init__(self, *services: str) -> None:
        self.bus = Bus()
        self._services = services

    def hosts(self, service: str) -> bool:
        return service in self._services


class Reactor:
    def callFromThread(self, call: Callable[[], None]) -> None:
        call()


@pytest.mark.parametrize(("services", "hints"), [(("directory",), 1), (("directory", "outbox"), 0)])
def test_a_commit_is_hinted_at_where_another_process_relays(services: tuple[str, ...], hints: int) -> None:
    runner = Runner(*services)
    end = hint_the_outbox(cast(Any, Reactor()), cast(Any, runner))
    waking.wake()
    end()
    waking.wake()
    assert runner.bus.events == [EventsCommitted()] * hints
    for confirm in runner.bus.confirms:
        confirm.callback(None)


def test_commits_at_one_time_are_one_hint_and_those_during_it_one_more() -> None:
    bus = Bus()
    hints = Hints(cast(Any, bus))
    for _ in range(3):
        hints.give()
    assert bus.events == [EventsCommitted()]
    bus.confirms[0].callback(None)
    assert len(bus.events) == 2
    bus.confirms[1].callback(None)
    assert len(bus.events) == 2


def test_a_hint_that_nobody_hears_is_lost_and_the_next_is_given_all_the_same() -> None:
    bus = Bus()
    hints = Hints(cast(Any, bus))
    hints.give()
    bus.confirms[0].errback(PublishRefused("no queue"))
    hints.give()
    assert len(bus.events) == 2
    bus.confirms[1].callback(None)
