"""Percentiles against exact ones, of any values."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statslib.histogram import ERROR, LEAST, MOST, TOP, bucket, middle, percentile

magnitudes = st.floats(LEAST * 2, MOST)
values = st.lists(magnitudes | magnitudes.map(lambda x: -x) | st.just(0.0), min_size=1, max_size=300)


@given(values, st.floats(0.1, 100))
@example([1.0] * 99 + [50.0], 99)
@example([-3.0, 0.0, 3.0], 50)
def test_a_percentile_is_within_its_error_of_the_exact_one(found: list[float], percent: float) -> None:
    exact = sorted(found)[ceil(len(found) * percent / 100) - 1]
    estimate = percentile(Counter(map(bucket, found)), percent)
    assert estimate == pytest.approx(exact, rel=ERROR * 1.0001)


@given(magnitudes, magnitudes)
def test_a_greater_value_is_never_in_a_lower_bucket(one: float, other: float) -> None:
    assert (bucket(one) <= bucket(other)) or one > other


@pytest.mark.parametrize("value", [MOST, MOST * 1e9, 1.7e308, -1.7e308, 5e-324, 0.0])
def test_memory_is_bounded_whatever_the_value(value: float) -> None:
    assert -TOP <= bucket(value) <= TOP


def test_what_is_nearly_nothing_counts_as_nothing() -> None:
    assert middle(bucket(LEAST / 2)) == middle(bucket(-LEAST / 2)) == 0.0


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile({}, 50)
