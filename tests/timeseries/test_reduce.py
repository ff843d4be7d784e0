import numpy as np

from tests.timeseries.samples import measured, result
from tests.timeseries.series import HOUR_MS, START, one_series
from timeseries.blocks import decode_block, encode_block
from timeseries.columns import Columns
from timeseries.graph import Graph, lay_out
from timeseries.reduce import reduced, reduced_rollup
from timeseries.rolling import roll
from timeseries.rollups import FINE_MS, Rollup


def steps(*numbers: float | str, start: int = 0, interval: int = 10_000, name: str = "a") -> Columns:
    return one_series(
        [
            measured(START + (start + n) * interval, {"check": "cpu", "metrics": {name: number}})
            for n, number in enumerate(numbers)
        ]
    )


def after(graph: Graph) -> list[int]:
    return [time - START for time in graph.times.tolist()]


def test_columns_that_follow_one_another_are_one_graph() -> None:
    parts = [steps(1, 2), steps(0.5, start=2), steps(4, start=3, name="b")]
    graph = lay_out(parts, [], START, START + HOUR_MS)
    assert after(graph) == [0, 10_000, 20_000, 30_000]
    assert [(line.name, line.kind) for line in graph.lines] == [("a", "float"), ("b", "int")]
    assert graph.lines[0].values.tolist()[:3] == [1, 2, 0.5]
    assert np.isnan(graph.lines[0].values[3])


def test_a_graph_has_its_start_and_not_its_end() -> None:
    graph = lay_out([steps(1, 2, 3, 4)], ["a"], START + 10_000, START + 30_000)
    assert (after(graph), graph.lines[0].values.tolist()) == ([10_000, 20_000], [2, 3])


def test_lines_come_as_asked_for_and_only_those_with_values() -> None:
    columns = one_series([measured(START, result(a=1, b=2)), measured(START + 9, result(c=3))])
    graph = lay_out([columns], ["b", "z", "a", "c"], START, START + 5)
    assert [line.name for line in graph.lines] == ["b", "a"]


def test_a_metric_that_is_text_in_one_part_is_text_in_all() -> None:
    graph = lay_out([steps(7, 7.5, "8b"), steps(9, start=3)], [], START, START + HOUR_MS)
    assert (graph.lines[0].kind, graph.lines[0].texts) == ("string", ["7", "7.5", "8b", "9"])


def test_blocks_without_their_rows_are_enough_for_a_graph() -> None:
    columns = steps(*range(100))
    bare = decode_block(encode_block(columns), ["a"], with_rows=False)
    graphs = [
        reduced(lay_out([each], [], START, START + HOUR_MS), START, START + HOUR_MS, 9)
        for each in (columns, bare)
    ]
    assert graphs[0].lines[0].maximum.tolist() == graphs[1].lines[0].maximum.tolist() != []


def day(*hours: int) -> Rollup:
    """A rollup of hours with the values 0 to 359."""
    frames = [
        measured(START + hour * HOUR_MS + n * 10_000, result(a=n) | {"rates": ["a"]})
        for hour in hours
        for n in range(360)
    ]
    return roll(one_series(frames), START, FINE_MS, 24 * 12)


def test_slots_are_points_with_mean_and_envelope() -> None:
    graph = reduced_rollup(day(0), START, START + HOUR_MS, 0)
    (line,) = graph.lines
    assert after(graph) == [n * FINE_MS for n in range(12)]
    assert graph.width_ms == FINE_MS
    assert line.kind == "gauge"
    assert line.values.tolist() == [n * 30 + 14.5 for n in range(12)]
    assert line.minimum.tolist() == [n * 30 for n in range(12)]
    assert line.maximum.tolist() == [n * 30 + 29 for n in range(12)]


def test_too_many_slots_are_made_wider_and_keep_their_peaks() -> None:
    graph = reduced_rollup(day(0), START, START + HOUR_MS, 5)
    assert len(graph.times) <= 5
    assert graph.lines[0].maximum.max() == 359
    assert graph.lines[0].minimum.min() == 0


def test_a_pause_between_slots_is_a_point_without_a_value() -> None:
    graph = reduced_rollup(day(0, 3), START, START + 4 * HOUR_MS, 100)
    gaps = np.flatnonzero(np.isnan(graph.lines[0].values))
    assert [after(graph)[gap] for gap in gaps] == [12 * FINE_MS]
    assert np.isnan(graph.lines[0].minimum[gaps]).all()


def test_only_the_slots_of_the_range_are_shown() -> None:
    graph = reduced_rollup(day(0, 1), START + HOUR_MS, START + HOUR_MS + 2 * FINE_MS, 0)
    assert after(graph) == [HOUR_MS, HOUR_MS + FINE_MS]


def test_a_rollup_without_slots_is_an_empty_graph() -> None:
    assert reduced_rollup(Rollup(FINE_MS, {}), START, START + HOUR_MS, 10).lines == []
