"""The frames that no block has taken in yet: a folder with a segment for every hour of arrival.

A write goes to the newest segment; a read asks all of them, for a late frame arrives in another hour than it
is of. Everything here runs in threads: one writes, another may read meanwhile.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from timeseries.frames import Frame
from timeseries.segment import NodeKey, Places, Segment

HOUR_MS = 3_600_000


class HotFrames:
    """The segments in `folder`, named for the hour (since the epoch) in which they were begun."""

    def __init__(self, folder: Path, now_ms: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ms = now_ms
        self._segments: list[Segment] = []

    def thd_open(self) -> None:
        """Find what is there; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._segments = [Segment(path) for path in sorted(self._folder.glob("*.frames"))]

    def thd_close(self) -> None:
        """Let go of every file."""
        segments, self._segments = self._segments, []
        for segment in segments:
            segment.close()

    def nodes(self) -> set[NodeKey]:
        """Those that have frames here."""
        return {key for segment in self._segments for key in segment.nodes()}

    def thd_append(self, frames: Sequence[Frame]) -> None:
        """On disk when it returns; raises OSError, and then none of them is kept."""
        self._thd_newest().thd_append(frames)

    def thd_read(self, key: NodeKey, start_ms: int, end_ms: int) -> list[Frame]:
        """The frames of a node with start_ms <= time_ms < end_ms, in order of (time_ms, origin)."""
        found = {
            (frame.time_ms, frame.origin): frame
            for segment, places in self._places(key)
            for frame in segment.thd_read(places[(places[:, 0] >= start_ms) & (places[:, 0] < end_ms)])
        }
        return [found[identity] for identity in sorted(found)]

    def thd_latest(self, key: NodeKey, horizon_ms: int) -> Frame | None:
        """The frame of a node with the greatest (time_ms, origin) before the horizon."""
        before = [places[places[:, 0] < horizon_ms, 0] for _, places in self._places(key)]
        times = [int(some.max()) for some in before if len(some)]
        return self.thd_read(key, max(times), max(times) + 1)[-1] if times else None

    def _places(self, key: NodeKey) -> Iterator[tuple[Segment, Places]]:
        for segment in self._segments:
            places = segment.places(key)
            if len(places):
                yield segment, places

    def _thd_newest(self) -> Segment:
        """The segment of this hour, or of a later one when the clock was set back."""
        path = self._folder / f"{self._now_ms() // HOUR_MS:010d}.frames"
        if not self._segments or self._segments[-1].path.name < path.name:
            self._segments = [*self._segments, Segment(path)]
            _sync_folder(self._folder)
        return self._segments[-1]


def _sync_folder(folder: Path) -> None:
    """A new file's name is on disk, too."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
