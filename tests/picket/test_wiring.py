"""picket.wiring: the hint to an outbox in another process."""

from typing import Any, cast

from twisted.internet.defer import Deferred

from eventframework.catalogue import EventsCommitted
from eventframework.errors import PublishRefused
from picket.wiring import Hints


class Bus:
    """Confirms a publish when the test says so."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.confirms: list[Deferred[None]] = []

    async def publish(self, event: Any) -> None:
        self.events.append(event)
        self.confirms.append(Deferred())
        await self.confirms[-1]


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
