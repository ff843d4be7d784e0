"""From frames to columns: each frame is decoded once, and what was measured alike is turned round at once.

A node's frames nearly always have the same results with the same metrics in the same order, a layout. Within
frames of one layout nothing needs to be looked up or compared value by value.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from timeseries.alike import Group, Groups
from timeseries.columns import Column, Columns, Rows, joined
from timeseries.frames import Frame, Value
from timeseries.turned import columns_of

Which = tuple[str, str]
"""A check and a key."""


class Collected(NamedTuple):
    """The columns of each check and key, and how many frames could not be read."""

    series: dict[Which, Columns]
    unreadable: int


class _Piece(NamedTuple):
    """One result of each of like frames: the places of these among all frames, and the columns of it."""

    places: Rows
    columns: Columns


def collect(frames: Iterable[Frame], only: Container[Which] | None = None) -> Collected:
    """The columns of the frames of one node, in any order; of two frames with one identity the last counts.

    Of all checks and keys, or `only` of these. CPU only, a quarter of a microsecond a value: thousands of
    frames belong in a thread.
    """
    unique = {(frame.time_ms, frame.origin): frame for frame in frames}
    ordered = [unique[identity] for identity in sorted(unique)]
    groups = Groups(ordered)
    found: dict[Which, list[_Piece]] = {}
    for group in groups.found():
        for which, piece in _pieces(group, ordered, only):
            found.setdefault(which, []).append(piece)
    return Collected({which: _whole(pieces) for which, pieces in found.items()}, groups.unreadable)


def _pieces(
    group: Group, frames: Sequence[Frame], only: Container[Which] | None
) -> Iterator[tuple[Which, _Piece]]:
    places = np.array(group.places)
    times = np.array([frames[place].time_ms for place in group.places], dtype=np.int64)
    origins = [frames[place].origin for place in group.places]
    whiches = [(check, key) for key, (check, _, _) in group.keyed]
    wanted = [result for result, which in enumerate(whiches) if only is None or which in only]
    for result, metrics in zip(wanted, _metrics(group, wanted), strict=True):
        states, statuses = group.texts(result)
        yield whiches[result], _Piece(places, Columns(times, origins, states, statuses, metrics))


def _metrics(group: Group, wanted: Sequence[int]) -> Iterator[dict[str, Column]]:
    """Of each of these results the columns, in the order of names."""
    values: list[Sequence[Value]] = []
    is_rate: list[bool] = []
    for result in wanted:
        _, (_, names, rates) = group.keyed[result]
        values += group.values(result)
        is_rate += [name in rates for name in names]
    columns = iter(columns_of(np.arange(len(group.places)), values, is_rate))
    for result in wanted:
        _, (_, names, _) = group.keyed[result]
        yield dict(sorted(zip(names, columns, strict=False)))


def _whole(pieces: Sequence[_Piece]) -> Columns:
    """The rows of all pieces in the order of frames, and of results within a frame."""
    if len(pieces) == 1:
        return pieces[0].columns
    order = np.argsort(np.concatenate([piece.places for piece in pieces]), kind="stable")
    rows = np.empty_like(order)
    rows[order] = np.arange(len(order))
    found: dict[str, list[Column]] = {}
    first = 0
    for places, columns in pieces:
        its = rows[first : first + len(places)]
        first += len(places)
        for name, column in columns.metrics.items():
            found.setdefault(name, []).append(column._replace(rows=its))
    times, *texts = zip(*(columns[:4] for _, columns in pieces), strict=True)
    picked = order.tolist()
    origins, states, statuses = (
        [of[row] for row in picked] for of in map(list, map(chain.from_iterable, texts))
    )
    return Columns(
        np.concatenate(times)[order],
        origins,
        states,
        statuses,
        {name: joined(found[name]) for name in sorted(found)},
    )
