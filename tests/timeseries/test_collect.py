from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.samples import frame, measured, result
from tests.timeseries.series import START, frames, plain
from tests.timeseries.table import Table
from timeseries.collect import collect
from timeseries.columns import FLOAT, INT, RATE, TEXT
from timeseries.frames import Frame, decode_payload
from timeseries.graph import Graph, lay_out
from timeseries.reduce import reduced


def test_a_metric_becomes_a_column_with_its_times_origins_states_and_statuses() -> None:
    warning = result(user=2.5) | {"state": "warn", "status": "busy"}
    collected = collect([measured(START, result(user=1.5)), measured(START + 10, warning, origin="a:2")])
    columns = collected.series["cpu", ""]
    assert columns.times.tolist() == [START, START + 10]
    assert list(columns.origins) == ["a:1", "a:2"]
    assert (list(columns.states), list(columns.statuses)) == (["ok", "warn"], ["", "busy"])
    assert columns.metrics["user"].values() == [1.5, 2.5]


def test_frames_in_any_order_make_the_same_columns() -> None:
    written = [measured(START + time, result(user=time), origin=f"a:{time}") for time in (3, 1, 2, 1)]
    assert plain(collect(written).series["cpu", ""]) == plain(collect(written[::-1]).series["cpu", ""])
    assert collect(written).series["cpu", ""].metrics["user"].values() == [1, 2, 3]


def test_each_value_keeps_its_kind() -> None:
    mixed = result(whole=1, part=0.5, speed=2, words="ready") | {"rates": ["speed"]}
    columns = collect([measured(START, mixed)]).series["cpu", ""]
    assert {name: column.flags() for name, column in columns.metrics.items()} == {
        "whole": INT, "part": FLOAT, "speed": INT | RATE, "words": TEXT,
    }  # fmt: skip


def test_two_results_of_one_check_in_a_frame_are_two_rows() -> None:
    columns = collect(
        [
            measured(START, result(user=1), result(user=2), origin="a:1"),
            measured(START, result(user=3), origin="a:2"),
            measured(START + 1, result(user=4), result(user=5), origin="a:3"),
        ]
    ).series["cpu", ""]
    assert columns.metrics["user"].values() == [1, 2, 3, 4, 5]
    assert list(columns.origins) == ["a:1", "a:1", "a:2", "a:3", "a:3"]


def test_of_two_frames_with_one_identity_the_last_counts() -> None:
    columns = collect([measured(START, result(user=1)), measured(START, result(user=2))]).series["cpu", ""]
    assert columns.metrics["user"].values() == [2]


def test_a_frame_that_cannot_be_read_is_left_out_and_counted() -> None:
    collected = collect([frame(START, payload=b"\xff"), measured(START + 1, result(user=1))])
    assert collected.unreadable == 1
    assert collected.series["cpu", ""].times.tolist() == [START + 1]


def test_no_frames_are_no_series() -> None:
    assert collect([]) == ({}, 0)


@given(frames(), st.sampled_from([0, 2, 5]))
@settings(max_examples=40, deadline=None)
def test_graphs_of_columns_are_those_of_the_same_frames(written: list[Frame], max_points: int) -> None:
    series = collect(written).series
    in_order = sorted(written, key=lambda each: (each.time_ms, each.origin))
    assert set(series) == {(r.check, r.key) for each in written for r in decode_payload(each.payload).results}
    for (check, key), columns in series.items():
        table = Table(check, key, [])
        table.thd_add(in_order)
        expected = table.graph(START, START + 20, max_points)
        graph = reduced(lay_out([columns], [], START, START + 20), START, START + 20, max_points)
        assert lines(graph) == lines(expected)
        assert graph.times.tolist() == expected.times.tolist()
        assert graph.width_ms == expected.width_ms


def lines(graph: Graph) -> dict[str, tuple[object, ...]]:
    """By name, because only the order of lines differs."""
    return {
        line.name: (
            line.kind,
            line.texts,
            *map(np.ndarray.tobytes, (line.values, line.minimum, line.maximum)),
        )
        for line in graph.lines
    }


@given(frames())
@settings(max_examples=40, deadline=None)
def test_every_value_comes_back_as_it_was(written: list[Frame]) -> None:
    series = collect(written).series
    found = {which: [dict[str, Any]() for _ in columns.times] for which, columns in series.items()}
    for which, columns in series.items():
        for name, column in columns.metrics.items():
            for row, value, kinds in zip(column.rows, column.values(), column.kinds, strict=True):
                found[which][row][name] = (type(value), repr(value), bool(kinds & RATE))
    expected: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in sorted(written, key=lambda each: (each.time_ms, each.origin)):
        for one in decode_payload(each.payload).results:
            values = {
                name: (type(value), repr(value), name in one.rates) for name, value in one.metrics.items()
            }
            expected.setdefault((one.check, one.key), []).append(values)
    assert found == expected


def changing(number: int) -> dict[str, Any]:
    return {"check": "cpu", "metrics": {f"p{number % 3}": number, "user": number}}


def test_frames_whose_metrics_change_all_the_time_are_collected_row_by_row() -> None:
    written = [measured(START + n, changing(n), origin=f"a:{n}") for n in range(9)]
    columns = collect(written).series["cpu", ""]
    assert columns.metrics["user"].values() == list(range(9))
    assert columns.metrics["p1"].rows.tolist() == [1, 4, 7]


@pytest.mark.parametrize("value", [2**63, 2**53 + 1, 10**400])
def test_an_integer_that_fits_nowhere_stays_what_it_is(value: int) -> None:
    columns = collect([measured(START, result(big=value)), measured(START + 1, result(big=0.5))])
    assert columns.series["cpu", ""].metrics["big"].values() == [value, 0.5]
