"""Waiting until `compact` has made rows of all that was sent."""

import time

from bench.errors import BenchError
from bench.shown import shown
from picket.settings import Endpoint

SETTLE_S = 180.0
LOOK_S = 0.5
QUIET = 3
"""Looks running that find nothing to be done."""


class Passes:
    """The passes of the process that shows itself at `stats`."""

    def __init__(self, stats: Endpoint) -> None:
        self._stats = stats
        self._seen = 0.0

    def wait(self, frames: int) -> None:
        """Passes have seen so many frames more than before, no hour is due, and none was found since."""
        deadline, quiet = time.monotonic() + SETTLE_S, 0
        before = last = self._seen
        while quiet < QUIET:
            if time.monotonic() > deadline:
                raise BenchError(f"hours are still due after {SETTLE_S:.0f} s")
            time.sleep(LOOK_S)
            last, seen = shown(self._stats, "picket_compact_frames_total"), last
            due = shown(self._stats, "picket_compact_due")
            done = last - before >= frames and last == seen and not due
            quiet = quiet + 1 if done else 0
        self._seen = last
