"""Frames for tests that hold anything an agent may send, and what makes columns of them equal."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.timeseries.samples import measured
from timeseries.collect import collect
from timeseries.columns import Column, Columns
from timeseries.frames import Frame
from timeseries.rollups import Rollup

START = 1_795_003_200_000
"""The start of an hour."""

HOUR_MS = 3_600_000

decimals = st.integers(-(10**6), 10**6).map(lambda number: number / 100)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 5e-324, 1.7e308])
integers = st.integers(-(2**70), 2**70) | st.sampled_from([2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**400])
words = st.text(max_size=6) | st.sampled_from(["ok", "7", "7.0", "1e5", "09:05", "100%", "a\n1"])
values = st.integers(-5, 5) | decimals | floats | integers | words
statuses = words | st.builds("load {:.2f}, {} running".format, decimals, st.integers(0, 12))


@st.composite
def results(draw: st.DrawFn, checks: tuple[str, ...] = ("cpu", "mem")) -> dict[str, Any]:
    """A check's result, as an agent sends it."""
    metrics = draw(st.dictionaries(st.sampled_from("abcd"), values, max_size=4))
    return {
        "check": draw(st.sampled_from(checks)),
        "key": draw(st.sampled_from(["", "eth0"])),
        "state": draw(st.sampled_from(["ok", "warn"])),
        "status": draw(statuses),
        "metrics": metrics,
        "rates": [name for name in metrics if draw(st.booleans())],
    }


@st.composite
def frames(draw: st.DrawFn, /, within_ms: int = 20, **options: Any) -> list[Frame]:
    """Frames of one node, in any order; no two have the same identity."""
    identity = st.tuples(st.integers(0, within_ms - 1), st.sampled_from(["a:1", "a:02", "b"]))
    moments = draw(st.dictionaries(identity, st.lists(results(**options), max_size=4), max_size=12))
    return [measured(START + time, *found, origin=origin) for (time, origin), found in moments.items()]


def one_series(frames: list[Frame]) -> Columns:
    """The columns of frames that have results of one check and key only; without rows if there are none."""
    (columns,) = collect(frames).series.values() or [EMPTY]
    return columns


EMPTY = Columns(np.empty(0, dtype=np.int64), [], [], [], {})


def plain(columns: Columns) -> dict[str, Any]:
    """Everything that columns hold, in a form in which == means the same bit for bit, types too."""
    return {
        "times": columns.times.tolist(),
        "texts": (list(columns.origins), list(columns.states), list(columns.statuses)),
        "metrics": {name: plain_column(column) for name, column in columns.metrics.items()},
    }


def plain_column(column: Column) -> dict[str, Any]:
    values = [(type(value).__name__, repr(value)) for value in column.values()]
    bits = (column.numbers.dtype.name, column.numbers.tobytes()) if len(column.numbers) else ()
    return {
        "rows": column.rows.tolist(),
        "kinds": column.kinds.tolist(),
        "values": values,
        "numbers": bits,
        "texts": list(column.texts),
    }


def plain_rollup(rollup: Rollup) -> dict[str, list[bytes]]:
    """Everything in a rollup, bit for bit."""
    return {name: [column.tobytes() for column in slots] for name, slots in rollup.metrics.items()}
