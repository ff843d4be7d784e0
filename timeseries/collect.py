"""From frames to columns: each frame is decoded once, and what was measured alike is turned round at once.

A node's frames nearly always have the same results with the same metrics in the same order, a layout. Within
a run of frames of one layout nothing needs to be looked up or compared value by value.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np

from timeseries.columns import RATE, Column, Columns, Rows, Times, column_of, joined
from timeseries.errors import InvalidFrame
from timeseries.frames import CheckResult, Frame, decode_payload

Which = tuple[str, str]
"""A check and a key."""


class Collected(NamedTuple):
    """The columns of each check and key, and how many frames could not be read."""

    series: dict[Which, Columns]
    unreadable: int


class _Decoded(NamedTuple):
    frame: Frame
    results: list[CheckResult]


class _Run(NamedTuple):
    """One result of each of successive frames of one layout, and the identities of those frames."""

    times: Times
    origins: list[str]
    results: Sequence[CheckResult]


def collect(frames: Iterable[Frame], only: Container[Which] | None = None) -> Collected:
    """The columns of the frames of one node, in any order; of two frames with one identity the last counts.

    Of all checks and keys, or `only` of these. CPU only, half a microsecond a value: thousands of frames
    belong in a thread.
    """
    unique = {(frame.time_ms, frame.origin): frame for frame in frames}
    decoded = list(_decode(unique[identity] for identity in sorted(unique)))
    found: dict[Which, list[_Run]] = {}
    for layout, alike in groupby(decoded, key=_layout):
        _add_runs(found, [(check, key) for check, key, *_ in layout], list(alike), only)
    series = {which: _columns(runs) for which, runs in found.items()}
    return Collected(series, len(unique) - len(decoded))


def _decode(frames: Iterable[Frame]) -> Iterator[_Decoded]:
    for frame in frames:
        try:
            yield _Decoded(frame, decode_payload(frame.payload).results)
        except InvalidFrame:
            continue


def _layout(decoded: _Decoded) -> list[tuple[str, str, list[str], list[str]]]:
    return [(result.check, result.key, list(result.metrics), result.rates) for result in decoded.results]


def _add_runs(
    found: dict[Which, list[_Run]],
    layout: list[Which],
    alike: list[_Decoded],
    only: Container[Which] | None,
) -> None:
    times = np.array([frame.time_ms for frame, _ in alike], dtype=np.int64)
    origins = [frame.origin for frame, _ in alike]
    for which, results in zip(layout, zip(*[results for _, results in alike], strict=True), strict=True):
        if only is None or which in only:
            found.setdefault(which, []).append(_Run(times, origins, results))


def _columns(runs: Sequence[_Run]) -> Columns:
    times = np.concatenate([run.times for run in runs])
    origins = list(chain.from_iterable(run.origins for run in runs))
    results = list(chain.from_iterable(run.results for run in runs))
    places = np.arange(len(times))
    if not np.all(times[1:] > times[:-1]):
        identities = list(zip(times.tolist(), origins, strict=True))
        order = sorted(range(len(times)), key=identities.__getitem__)
        places[order] = np.arange(len(times))
        times, origins, results = (
            times[order],
            [origins[row] for row in order],
            [results[row] for row in order],
        )
    states, statuses = [result.state for result in results], [result.status for result in results]
    return Columns(times, origins, states, statuses, _metrics(runs, places))


def _metrics(runs: Sequence[_Run], places: Rows) -> dict[str, Column]:
    """A column of each metric; results with the same metrics and rates, most often all, go together."""
    if len(runs) == 1:
        return dict(sorted(_of_like(runs[0].results, places)))
    alike: dict[tuple[str, ...], list[tuple[Sequence[CheckResult], Rows]]] = {}
    ends = np.cumsum([len(run.results) for run in runs])
    for run, rows in zip(runs, np.split(places, ends[:-1]), strict=True):
        first = run.results[0]
        alike.setdefault((*first.metrics, "", *first.rates), []).append((run.results, rows))
    pieces: dict[str, list[Column]] = {}
    for group in alike.values():
        results = [result for of_run, _ in group for result in of_run]
        for name, column in _of_like(results, np.concatenate([rows for _, rows in group])):
            pieces.setdefault(name, []).append(column)
    return {name: joined(pieces[name]) for name in sorted(pieces)}


def _of_like(results: Sequence[CheckResult], rows: Rows) -> Iterator[tuple[str, Column]]:
    """The columns of results that have the same metrics, in the same order, and the same rates."""
    rates = set(results[0].rates)
    columns = zip(*[result.metrics.values() for result in results], strict=True)
    for name, values in zip(results[0].metrics, columns, strict=True):
        yield name, column_of(rows, values, RATE if name in rates else 0)
