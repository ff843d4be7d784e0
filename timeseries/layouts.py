"""Frames of a layout that is known are read in half the time, for no name in them is made or looked up.

A node's frames nearly always have the same results with the same metrics and rates in the same order. Of such
a layout a type is made, in which only values, states and statuses are free. What is not of the type is read
as any other frame, so that nothing depends on a guess.
"""

from collections import Counter
from threading import Lock
from typing import Any, Literal, NamedTuple
from weakref import WeakValueDictionary

import msgspec
from msgspec import defstruct, field

from timeseries.frames import Bounds, FrameBody, State, Value, decode_text, layout_of, size_of, unpack

ADOPTED_AFTER = 8
"""Frames of a layout before a type is made of it, which takes as long as reading fifty of them."""

SELDOM_AFTER = 512
"""The same of a node whose frames are hardly ever alike."""

MOST_KNOWN = 4
"""Layouts of one node at a time: its checks may have different intervals."""

MOST_MISSES = 32
"""Frames one after the other that are of no known layout, before all of them are forgotten."""

MOST_VALUES = 2000

Shape = tuple[str, tuple[str, ...], tuple[str, ...]]
"""Of a result: its check, and the names of its metrics and rates."""

Keyed = tuple[tuple[str, Shape], ...]
"""The key and the shape of each result of a frame."""


class Read(NamedTuple):
    """What is in a frame: its `time` in milliseconds, and `layout_of` it."""

    time: int
    layout: int


class Layout:
    """The frames with these results: their checks, keys, metrics and rates, in this order."""

    def __init__(self, body: FrameBody, results: tuple[type, ...]) -> None:
        self.number = layout_of(body)
        self.size = size_of(body)
        self.keyed = keyed_of(body)
        self._keys = [result.key for result in body.results]
        alike: Any = tuple[results]  # type: ignore[valid-type]
        frame: Any = defstruct("Frame", [("time", int), ("results", alike)], gc=False)
        self._decoder = msgspec.json.Decoder(frame)

    def read(self, text: bytes | bytearray) -> Read | None:
        """What is in the frame, or None if it is not of this layout."""
        body = self.decode(text)
        return None if body is None else Read(body.time, self.number)

    def decode(self, text: bytes | bytearray) -> Any | None:
        """The frame like a FrameBody, but with the metrics of each result as a struct; or None."""
        try:
            body = self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return body if [result.key for result in body.results] == self._keys else None


class Layouts:
    """The layouts in use; nodes with the same have one between them, and others what of it is alike."""

    def __init__(self) -> None:
        self._results: WeakValueDictionary[Shape, type] = WeakValueDictionary()
        self._layouts: WeakValueDictionary[Keyed, Layout] = WeakValueDictionary()

    def find(self, body: FrameBody) -> Layout | None:
        """The layout of that frame; None where names keep a type from being made, or there are too many."""
        if size_of(body) > MOST_VALUES:
            return None
        keyed = keyed_of(body)
        found = self._layouts.get(keyed)
        if found is None:
            try:
                results = tuple(self._result(shape) for _, shape in keyed)
            except ValueError:
                return None
            found = self._layouts[keyed] = Layout(body, results)
        return found

    def _result(self, shape: Shape) -> type:
        found = self._results.get(shape)
        if found is None:
            found = self._results[shape] = _type_of(shape)
        return found


class LastLayouts:
    """Those that were asked for last, for threads that have frames of any node."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._layouts = Layouts()
        self._last: dict[Layout, None] = {}
        self._lock = Lock()

    def find(self, body: FrameBody) -> Layout | None:
        """As in Layouts."""
        with self._lock:
            found = self._layouts.find(body)
            if found is not None:
                self._last.pop(found, None)
                self._last[found] = None
            if len(self._last) > self._most:
                del self._last[next(iter(self._last))]
            return found


class Reader:
    """Reads the payloads of one node; its layouts, the last one met first, are tried one after the other."""

    def __init__(self, layouts: Layouts) -> None:
        self._layouts = layouts
        self._known: list[Layout] = []
        self._seen: Counter[int] = Counter()
        self._misses, self._after = 0, ADOPTED_AFTER

    def read(self, payload: bytes, bounds: Bounds) -> Read:
        """What `decode_payload` finds in it; raises InvalidFrame."""
        text = unpack(payload)
        if len(text) <= bounds.text_bytes and (found := self._read(text, bounds.metrics)):
            return found
        body = decode_text(text, bounds)
        number = layout_of(body)
        self._learn(number, body)
        return Read(body.time, number)

    def _read(self, text: bytes | bytearray, most: int) -> Read | None:
        for place, known in enumerate(self._known):
            if known.size <= most and (found := known.read(text)):
                if place:
                    self._known.insert(0, self._known.pop(place))
                self._misses = 0
                return found
        return None

    def _learn(self, number: int, body: FrameBody) -> None:
        self._misses += 1
        if self._misses > MOST_MISSES and self._known:
            self._known.clear()
            self._seen.clear()
            self._after = min(2 * self._after, SELDOM_AFTER)
        self._seen[number] += 1
        if self._seen[number] == self._after and (layout := self._layouts.find(body)):
            self._known = [layout, *self._known][:MOST_KNOWN]
            self._misses = 0
        elif len(self._seen) > MOST_MISSES:
            self._seen.clear()


def keyed_of(body: FrameBody) -> Keyed:
    """What frames of one layout have in common."""
    return tuple(
        (result.key, (result.check, tuple(result.metrics), tuple(result.rates))) for result in body.results
    )


def _type_of(shape: Shape) -> type:
    """`CheckResult` with only these metrics and rates; raises ValueError where a name has what it may not."""
    check, names, rates = shape
    renamed = {f"value{number}": name for number, name in enumerate(names)}
    metrics = defstruct(
        "Metrics",
        [(value, Value) for value in renamed],
        rename=renamed,
        forbid_unknown_fields=True,
        gc=False,
    )
    told: Any = tuple[tuple(Literal[rate] for rate in rates)]  # type: ignore[misc]
    fields: list[Any] = [
        ("check", Literal[check]),
        ("state", State, "ok"),
        ("key", str, ""),
        ("status", str, ""),
        ("metrics", metrics) if names else ("metrics", metrics, field(default_factory=metrics)),
        ("rates", told) if rates else ("rates", told, ()),
    ]
    return defstruct("Result", fields, kw_only=True, gc=False)
