import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timeseries.extremes import to_floats, to_integers
from timeseries.scaling import POWERS, RAW

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
