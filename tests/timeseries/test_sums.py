import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeseries.sums import totals

decimals = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)


@given(st.lists(decimals, min_size=2, max_size=40), st.data())
def test_sums_of_decimals_are_the_same_in_any_order_and_steps(
    numbers: list[float], data: st.DataObject
) -> None:
    exact = sum(round(number * 1000) for number in numbers) / 1000
    cut = data.draw(st.integers(1, len(numbers) - 1))
    parts = totals(np.array([data.draw(st.permutations(numbers))]), np.array([0, cut]))
    assert totals(np.array([numbers]), np.array([0])).tolist() == [[exact]]
    assert totals(parts, np.array([0])).tolist() == [[exact]]


def test_other_sums_go_from_left_to_right() -> None:
    numbers = (np.random.default_rng(3).random(2000) / 3).tolist()
    assert totals(np.array([numbers, [0.25] * 2000]), np.array([0, 1000])).tolist() == [
        [added(numbers[:1000]), added(numbers[1000:])],
        [250, 250],
    ]


def added(numbers: list[float]) -> float:
    """One by one: from Python 3.12 on `sum` compensates."""
    total = 0.0
    for number in numbers:
        total += number
    return total


def test_what_is_too_large_is_infinite() -> None:
    assert totals(np.array([[1.7e308, 1.7e308]]), np.array([0])).tolist() == [[np.inf]]
