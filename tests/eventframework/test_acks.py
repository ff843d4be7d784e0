"""What is acknowledged together, and what must not be."""

from typing import Any, cast

from twisted.internet.task import Clock

from eventframework.acks import Acks


class Channel:
    """Deliveries 1 to 6 that have come, and what is acknowledged of them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.frames: list[tuple[int, bool]] = []
        self.acks = Acks(cast(Any, self.clock), lambda *frame: self.frames.append(frame))
        for tag in range(1, 7):
            self.acks.delivered(tag)

    def settle(self, *tags: int) -> list[tuple[int, bool]]:
        """The frames of one turn."""
        self.frames = []
        for tag in tags:
            self.acks.settle(tag)
        self.clock.advance(0)
        return self.frames


def test_what_is_settled_in_one_turn_is_acknowledged_by_one_frame() -> None:
    channel = Channel()
    assert channel.settle(2, 1, 3) == [(3, True)]
    assert channel.settle(4) == [(4, True)]
    assert channel.settle(5, 6) == [(6, True)]


def test_nothing_is_acknowledged_that_is_still_open() -> None:
    channel = Channel()
    assert channel.settle(1, 2, 4, 6) == [(2, True), (4, False), (6, False)]
    assert channel.settle(3) == [(3, True)]
    assert channel.settle(5) == [(5, True)]


def test_one_that_stays_open_holds_none_of_the_later_up() -> None:
    channel = Channel()
    assert channel.settle(2, 3) == [(2, False), (3, False)]
    assert channel.settle(5) == [(5, False)]


def test_a_flush_waits_for_no_turn_and_the_turn_then_finds_nothing() -> None:
    channel = Channel()
    channel.acks.settle(1)
    channel.acks.flush()
    assert channel.frames == [(1, True)]
    channel.clock.advance(0)
    assert channel.frames == [(1, True)]
