import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from timeseries.columns import Numbers
from timeseries.scaling import RAW, Scaled, fit_32_bits, places_of, scaled_rows

size = 4
ints = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3).map(lambda number: number * 4096)
floats = st.floats(allow_nan=False) | st.integers(-(10**9), 10**9).map(lambda number: number / 100)


@given(
    st.lists(st.lists(ints, min_size=size, max_size=size), min_size=1).map(
        lambda rows: np.array(rows, np.int64)
    )
    | st.lists(st.lists(floats, min_size=size, max_size=size), min_size=1).map(np.array)
)
@settings(deadline=None)
def test_rows_come_back_bit_for_bit(rows: Numbers) -> None:
    for row, scaled in zip(rows, scaled_rows(rows), strict=True):
        if isinstance(scaled, Scaled):
            assert scaled.numbers().dtype == row.dtype
            assert scaled.numbers().tobytes() == row.tobytes()
        elif scaled is None:
            assert places_of(row[None]) == [RAW]
        else:
            assert np.full(size, scaled, dtype=row.dtype).tobytes() == row.tobytes()


def test_what_all_integers_have_in_common_is_apart() -> None:
    (found,) = scaled_rows(2**40 + np.array([[0, 4096, 3 * 4096]]))
    assert isinstance(found, Scaled)
    assert (found.integers.tolist(), found.places, found.base, found.shift) == ([0, 1, 3], None, 2**40, 12)


def test_the_fewest_places_that_are_enough_for_all_are_taken() -> None:
    rows = [
        [1, 2],
        [1, 0.5],
        [0.25, 0.5],
        [0.001, 5],
        [1e-6, 1],
        [1e-7, 1],
        [1e300, 1],
        [np.inf, 1],
        [-0.0, 1],
    ]
    assert places_of(np.array(rows)).tolist() == [0, 1, 2, 3, 6, RAW, RAW, RAW, RAW]


def test_the_bits_of_a_row_are_those_of_its_largest_numbers() -> None:
    rows = np.array([[-(2**31), 2**31 - 1], [0, 2**31], [-(2**31) - 1, 0]])
    assert fit_32_bits(rows).tolist() == [True, False, False]
