"""The frames that no row has taken in yet: a folder with a segment for every hour of arrival.

A write goes to the newest segment; a read asks all of them, for a late frame arrives in another hour than it
is of. Everything here runs in threads: one writes, another may read meanwhile.

The mark of a frame is its place in the order of arrival. An hour of a node is due while its newest frame's
mark is greater than the mark up to which a pass has seen it; a segment without due hours can be dropped.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from timeseries.frames import Frame
from timeseries.segment import OFFSET_BITS, Segment
from timeseries.segment_index import NodeKey, Places
from timeseries.store import HOUR_MS, Hour

KEPT_HOURS = 2
"""How much later the newest segment's hour is than that of one that may go."""


class HotFrames:
    """The segments in `folder`, named for the hour (since the epoch) in which they were begun."""

    def __init__(self, folder: Path, now_ms: Callable[[], int]) -> None:
        self._folder = folder
        self._now_ms = now_ms
        self._segments: list[Segment] = []
        self._due: dict[NodeKey, dict[int, int]] = {}
        self._lock = Lock()
        """Held to change what is due, or the list of segments."""

    def thd_open(self) -> None:
        """Find what is there; raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._segments = [Segment(path) for path in sorted(self._folder.glob("*.frames"))]
        for segment in self._segments:
            for key in segment.nodes():
                self._came(key, segment.hours(key), segment.first_mark)

    def thd_close(self) -> None:
        """Let go of every file."""
        segments, self._segments = self._segments, []
        for segment in segments:
            segment.thd_index()
            segment.close()

    def nodes(self) -> set[NodeKey]:
        """Those that have frames here."""
        return {key for segment in self._segments for key in segment.nodes()}

    def thd_append(self, frames: Sequence[Frame]) -> None:
        """On disk when it returns; raises OSError, and then none of them is kept."""
        segment = self._thd_newest()
        placed = segment.thd_append(frames)
        with self._lock:
            for key, places in placed:
                hours = {time_ms // HOUR_MS * HOUR_MS: offset for time_ms, offset, _ in places}
                self._came(key, hours, segment.first_mark)

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

    def due(self, wanted: Callable[[NodeKey], bool]) -> list[Hour]:
        """The due hours of the nodes that are wanted."""
        with self._lock:
            return [
                Hour(*key, start_ms, mark)
                for key, hours in self._due.items()
                if wanted(key)
                for start_ms, mark in hours.items()
            ]

    def due_of(self, key: NodeKey) -> list[Hour]:
        """The due hours of one node, ascending."""
        with self._lock:
            return [Hour(*key, *due) for due in sorted(self._due.get(key, {}).items())]

    def settle(self, hour: Hour) -> None:
        """A pass has seen the hour's frames up to its mark."""
        key = hour.account_id, hour.node_id
        with self._lock:
            hours = self._due.get(key, {})
            if hours.get(hour.start_ms, hour.mark + 1) <= hour.mark:
                del hours[hour.start_ms]
            if not hours:
                self._due.pop(key, None)

    def thd_forget(self, key: NodeKey, up_to: int) -> None:
        """Of this node, nothing that came up to this mark is read any more; in the thread that writes."""
        with self._lock:
            for segment in self._segments:
                segment.forget(key, up_to - segment.first_mark)
            hours = self._due.get(key, {})
            self._due[key] = {start_ms: mark for start_ms, mark in hours.items() if mark > up_to}

    def end_mark(self) -> int:
        """Not less than the mark of any frame there is, and less than that of the next."""
        return self._segments[-1].first_mark + self._segments[-1].size - 1 if self._segments else 0

    def thd_drop(self) -> int:
        """Remove the oldest segments that have no due hours; returns the first mark there still is.

        One that ended less than an hour before the newest began stays, for the newest frames of a node are
        looked for here. Runs in the thread that reads, so that nothing reads what is removed.
        """
        while self._segments and self._is_done(self._segments[0]):
            with self._lock:
                oldest, *self._segments = self._segments
            oldest.thd_remove()
        return self._segments[0].first_mark if self._segments else 0

    def _is_done(self, segment: Segment) -> bool:
        if self._segments[-1].first_mark - segment.first_mark < KEPT_HOURS << OFFSET_BITS:
            return False
        with self._lock:
            return not any(
                segment.hours(key).keys() & self._due.get(key, {}).keys() for key in segment.nodes()
            )

    def _came(self, key: NodeKey, hours: dict[int, int], first_mark: int) -> None:
        """Frames of these hours have come, the last of each at this offset of the segment of that mark."""
        marks = {start_ms: first_mark + offset for start_ms, offset in hours.items()}
        self._due.setdefault(key, {}).update(marks)

    def _places(self, key: NodeKey) -> Iterator[tuple[Segment, Places]]:
        for segment in self._segments:
            places = segment.places(key)
            if len(places):
                yield segment, places

    def _thd_newest(self) -> Segment:
        """The segment of this hour, or of a later one when the clock was set back."""
        number = self._now_ms() // HOUR_MS
        if not self._segments or self._segments[-1].first_mark >> OFFSET_BITS < number:
            for former in self._segments[-1:]:
                former.thd_index()
            segment = Segment(self._folder / f"{number:010d}.frames")
            with self._lock:
                self._segments = [*self._segments, segment]
            _sync_folder(self._folder)
        return self._segments[-1]


def _sync_folder(folder: Path) -> None:
    """A new file's name is on disk, too."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
