import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeseries.extremes import POWERS, places_of, to_floats, to_integers
from timeseries.numbers import RAW

floats = st.floats(allow_nan=False).map(lambda number: number + 0.0) | st.integers(-(10**9), 10**9).map(
    lambda number: number / 100
)


@given(st.lists(st.tuples(floats, floats, floats), min_size=1, max_size=5), st.integers(1, 2**40))
def test_minimum_maximum_and_sum_come_back_bit_for_bit(slots: list[tuple[float, ...]], count: int) -> None:
    extremes, counts = np.array([slots]).transpose(0, 2, 1), np.full(len(slots), count)
    (places,), (integers,) = to_integers(extremes, counts)
    if places == RAW:
        assert integers.tobytes() == extremes[0].tobytes()
    else:
        low, span, rest = integers
        found = np.stack(to_floats(low, span, rest, POWERS[places], counts))
        assert found.tobytes() == extremes[0].tobytes()


def test_what_is_always_the_same_is_zero_but_for_the_minimum() -> None:
    places, integers = to_integers(np.array([[[0.25, 7], [0.25, 7], [1, 28]]]), np.array([4, 4]))
    assert (places.tolist(), integers.tolist()) == ([2], [[[25, 700], [0, 0], [0, 0]]])


def test_the_fewest_places_that_are_enough_for_all_are_taken() -> None:
    rows = [[1, 2], [1, 0.5], [0.25, 0.5], [0.001, 5], [1e-6, 1], [1e-7, 1], [1e300, 1], [np.inf, 1]]
    assert places_of(np.array(rows)).tolist() == [0, 1, 2, 3, 6, RAW, RAW, RAW]
