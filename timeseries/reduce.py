"""Fewer points for a graph: a mean, a minimum and a maximum in place of many, and gaps that stay gaps.

Means alone would hide the peaks, and picked points what lies between them; a line with its envelope shows
both, and all metrics keep the same times.
"""

import numpy as np
from numpy.typing import NDArray

from timeseries.columns import Times
from timeseries.graph import NONE, Graph, Line, lay_out_slots
from timeseries.rolling import coarsen
from timeseries.rollups import Rollup

GAP_INTERVALS = 3


def reduced(graph: Graph, start_ms: int, end_ms: int, max_points: int) -> Graph:
    """The graph with its gaps marked, and folded if it has more than `max_points`; 0 leaves it as it is."""
    if not max_points:
        return graph
    interval_ms = _typical_ms(graph.times)
    marked = _mark_gaps(graph, interval_ms)
    if len(marked.times) <= max_points:
        return marked
    width_ms = -(-(end_ms - start_ms) // max_points)
    return _mark_gaps(_fold(graph, start_ms, width_ms), max(width_ms, interval_ms))


def reduced_rollup(rollup: Rollup, start_ms: int, end_ms: int, max_points: int) -> Graph:
    """The slots that begin or end in a range as a graph, in slots so wide that `max_points` are enough.

    0 gives every slot, and no marks of gaps. An envelope is that of the values, not of their means.
    """
    width_ms = rollup.width_ms
    while max_points and (end_ms - 1) // width_ms - start_ms // width_ms >= max_points:
        width_ms += rollup.width_ms
    graph = lay_out_slots(coarsen(rollup, width_ms), start_ms, end_ms)
    return _mark_gaps(graph, max(width_ms, _typical_ms(graph.times))) if max_points else graph


def _typical_ms(times: Times) -> int:
    return int(np.median(np.diff(times))) if len(times) > 1 else 0


def _mark_gaps(graph: Graph, interval_ms: int) -> Graph:
    """Put a point without values into every pause of over GAP_INTERVALS intervals, one interval in."""
    before = np.flatnonzero(np.diff(graph.times) > max(1, interval_ms) * GAP_INTERVALS)
    if not len(before):
        return graph
    times = np.insert(graph.times, before + 1, graph.times[before] + max(1, interval_ms))
    return Graph(times, [_with_gaps(line, before + 1) for line in graph.lines], graph.width_ms)


def _with_gaps(line: Line, places: NDArray[np.intp]) -> Line:
    values, minimum, maximum = (
        np.insert(column, places, np.nan) if len(column) else column
        for column in (line.values, line.minimum, line.maximum)
    )
    texts = list(line.texts)
    for place in reversed(places if texts else ()):
        texts.insert(place, "")
    return Line(line.name, line.kind, values, minimum, maximum, texts)


def _fold(graph: Graph, start_ms: int, width_ms: int) -> Graph:
    """One point for every `width_ms` that has any, at its start: mean, minimum, maximum; last text."""
    buckets = (graph.times - start_ms) // width_ms
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    ends = np.append(starts[1:], len(buckets))
    lines = [_fold_line(line, starts, ends) for line in graph.lines]
    return Graph(start_ms + buckets[starts] * width_ms, lines, width_ms)


def _fold_line(line: Line, starts: NDArray[np.intp], ends: NDArray[np.intp]) -> Line:
    if line.kind == "string":
        texts = [_last_text(line.texts[start:end]) for start, end in zip(starts, ends, strict=True)]
        return Line(line.name, line.kind, NONE, texts=texts)
    there = ~np.isnan(line.values)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        totals = np.add.reduceat(np.where(there, line.values, 0.0), starts)
        means = totals / np.add.reduceat(there.astype(np.int64), starts)
        minimum = np.fmin.reduceat(line.values, starts)
        maximum = np.fmax.reduceat(line.values, starts)
    return Line(line.name, line.kind, np.clip(means, minimum, maximum), minimum, maximum)


def _last_text(texts: list[str]) -> str:
    return next((text for text in reversed(texts) if text), "")
