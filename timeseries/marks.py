"""Which hours an archive has lately marked as due, so that it need not mark them with every frame.

A mark covers what is written of its hour within `mark_s`: only when that is surely over may a pass take the
mark away for what it has seen. Clocks of processes may differ by a part of SLACK_S.
"""

from collections.abc import Iterable

from twisted.internet.interfaces import IReactorTime

from timeseries.frames import Frame
from timeseries.store import HOUR_MS

SLACK_S = 90.0
"""Longer than a write that a mark covers takes to end."""

NodeHour = tuple[str, str, int]
"""(account_id, node_id, start of the hour in ms)."""


class Marks:
    """The marks of one process; `mark_s` 0 marks with every write, and needs no waiting."""

    def __init__(self, clock: IReactorTime, mark_s: float) -> None:
        self._clock = clock
        self._mark_us = int(mark_s * 1e6)
        self._slack_us = int(SLACK_S * 1e6) if mark_s else 0
        self._newest: dict[NodeHour, int] = {}

    def due(self, frames: Iterable[Frame]) -> dict[NodeHour, int]:
        """The hours of these frames that have to be marked now, and their marks (microseconds)."""
        now_us = self._now_us()
        hours = {(frame.account_id, frame.node_id, frame.time_ms // HOUR_MS * HOUR_MS) for frame in frames}
        return {hour: now_us for hour in hours if now_us - self._newest.get(hour, 0) >= self._mark_us}

    def made(self, marks: dict[NodeHour, int]) -> None:
        """They are in the store."""
        self._newest |= marks
        if len(self._newest) > 100_000:
            old_us = self._now_us() - self._mark_us
            self._newest = {hour: mark for hour, mark in self._newest.items() if mark > old_us}

    def forget(self) -> None:
        """Some may be lost: mark everything anew."""
        self._newest.clear()

    def is_over(self, mark: int) -> bool:
        """Whether nothing more is written that this mark covers."""
        return self._now_us() >= mark + self._mark_us + self._slack_us

    def _now_us(self) -> int:
        return int(self._clock.seconds() * 1e6)
