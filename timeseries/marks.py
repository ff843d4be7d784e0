"""Which hours an archive has lately marked as due, so that it need not mark them with every frame.

A mark serves for `mark_s`, and is over `slack_s` later: then a pass may take it away for what it has seen. So
whatever is acknowledged must have been in the store before its mark was over. A write that took so long that
this is not sure, whatever held it up, marks its hours once more when it has ended.
"""

from collections.abc import Collection, Iterable

from twisted.internet.interfaces import IReactorTime

from timeseries.frames import Frame
from timeseries.store import HOUR_MS

MARK_S = 600.0
SLACK_S = 90.0

NodeHour = tuple[str, str, int]
"""(account_id, node_id, start of the hour in ms)."""


def hours_of(frames: Iterable[Frame]) -> set[NodeHour]:
    """The hours that these frames are of."""
    return {(frame.account_id, frame.node_id, frame.time_ms // HOUR_MS * HOUR_MS) for frame in frames}


class Marks:
    """The marks of one process, in microseconds since the epoch.

    Half of `slack_s` is left to the difference of processes' clocks, half to what a write usually takes.
    """

    def __init__(self, clock: IReactorTime, mark_s: float = MARK_S, slack_s: float = SLACK_S) -> None:
        self._clock = clock
        self._mark_us = int(mark_s * 1e6)
        self._slack_us = int(slack_s * 1e6)
        self._newest: dict[NodeHour, int] = {}
        self._forgot_us = 0

    def due(self, hours: Collection[NodeHour]) -> dict[NodeHour, int]:
        """Those of the hours that have to be marked before something is written to them, and their marks."""
        return self._older(hours, self._mark_us)

    def outlived(self, hours: Collection[NodeHour]) -> dict[NodeHour, int]:
        """The same after something was written: those whose marks may be over."""
        return self._older(hours, self._mark_us + self._slack_us // 2)

    def made(self, marks: dict[NodeHour, int]) -> None:
        """They are in the store."""
        self._newest |= {hour: mark for hour, mark in marks.items() if mark > self._forgot_us}
        if len(self._newest) > 100_000:
            old_us = self._now_us() - self._mark_us
            self._newest = {hour: mark for hour, mark in self._newest.items() if mark > old_us}

    def forget(self) -> None:
        """Some may be lost, also of those being made: mark everything anew."""
        self._newest.clear()
        self._forgot_us = self._now_us()

    def is_over(self, mark: int) -> bool:
        """Whether nothing more is acknowledged that only this mark tells of."""
        return self._now_us() >= mark + self._mark_us + self._slack_us

    def _older(self, hours: Collection[NodeHour], age_us: int) -> dict[NodeHour, int]:
        now_us = self._now_us()
        return {hour: now_us for hour in hours if now_us - self._newest.get(hour, 0) >= age_us}

    def _now_us(self) -> int:
        return int(self._clock.seconds() * 1e6)
