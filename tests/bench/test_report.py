"""The table and the figures, from costs that are known."""

import pytest

from bench import report
from bench.cpu import Cost

POINTS = 500_000
ROUNDS = {"Picket": [Cost(0.5, 1.0), Cost(1.0, 2.0), Cost(0.7, 1.25)], "other": [Cost(2.0, 4.0)] * 3}


def test_cpu_is_told_for_a_million_points() -> None:
    assert report.per_mpoint(ROUNDS["Picket"], POINTS) == pytest.approx([1.0, 2.0, 1.4])


def test_the_rate_is_the_median_over_rounds() -> None:
    assert report.points_per_s(ROUNDS["Picket"], POINTS) == pytest.approx(400_000)


def test_the_table_has_medians_spread_and_our_share_of_each_peer() -> None:
    ours, other = list(report.table(ROUNDS, POINTS))[2:]
    assert ours.split() == ["Picket", "1.400", "1.000", "2.000", "400,000"]
    assert other.split() == ["other", "4.000", "4.000", "4.000", "125,000", "0.35"]
