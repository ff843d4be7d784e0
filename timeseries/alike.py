"""Frames of a node in groups that are alike: of one layout, with the same results, metrics and rates."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import astuple

from timeseries.errors import InvalidFrame
from timeseries.frames import Frame, Value, decode_text, unpack
from timeseries.layouts import Keyed, LastLayouts, Layout, keyed_of

FEW = 64
"""Frames for which no type of their layout is made."""

MOST_TYPES = 4
"""For the frames of one call; if their layout changes all the time, they are read as any others."""

Text = bytes | bytearray

_layouts = LastLayouts(128)


class Group(NamedTuple):
    """Frames that are alike: the place of each among all frames, ascending, and its results."""

    keyed: Keyed
    layout: Layout | None
    places: list[int]
    results: list[Sequence[Any]]

    def values(self, result: int) -> Iterable[tuple[Value, ...]]:
        """Of each metric of the result at this place its values, one of each frame."""
        values: Callable[[Any], Iterable[Value]] = astuple if self.layout else dict.values
        return zip(*map(values, [results[result].metrics for results in self.results]), strict=True)

    def texts(self, result: int) -> tuple[list[str], list[str]]:
        """The states and the statuses of the result at this place."""
        of_frames = [results[result] for results in self.results]
        return [each.state for each in of_frames], [each.status for each in of_frames]


class Groups:
    """Puts frames into groups; those that cannot be read are counted."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.unreadable = 0
        self._typed: list[Group] = []
        self._others: dict[Keyed, Group] = {}
        self._met: set[Keyed] = set()
        for place, frame in enumerate(frames):
            try:
                text = unpack(frame.payload)
                group, results = self._known(text) or self._other(text, len(frames) - place)
            except InvalidFrame:
                self.unreadable += 1
            else:
                group.places.append(place)
                group.results.append(results)

    def found(self) -> list[Group]:
        """Those that have frames."""
        return [group for group in (*self._typed, *self._others.values()) if group.places]

    def _known(self, text: Text) -> tuple[Group, Sequence[Any]] | None:
        """In the group of a type that reads it, of which the last one that did is tried first."""
        for place, group in enumerate(self._typed):
            if group.layout and (body := group.layout.decode(text)) is not None:
                if place:
                    self._typed.insert(0, self._typed.pop(place))
                return group, body.results
        return None

    def _other(self, text: Text, left: int) -> tuple[Group, Sequence[Any]]:
        body = decode_text(text)
        keyed = keyed_of(body)
        if keyed not in self._met and left >= FEW and len(self._typed) < MOST_TYPES:
            self._met.add(keyed)
            if layout := _layouts.find(body):
                self._typed.insert(0, Group(keyed, layout, [], []))
                if found := self._known(text):
                    return found
        return self._others.setdefault(keyed, Group(keyed, None, [], [])), body.results
