import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.series import plain_column, values
from timeseries.columns import RATE, column_of
from timeseries.frames import Value
from timeseries.turned import columns_of, floats_of

some_floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.integers(1, 40), st.data())
@settings(deadline=None)
def test_many_columns_at_once_are_what_each_is_by_itself(size: int, data: st.DataObject) -> None:
    of_one = st.sampled_from(
        [some_floats, st.integers(), st.integers(-9, 9), values, some_floats | st.integers(-(2**70), 2**70)]
    ).flatmap(lambda some: st.lists(some, min_size=size, max_size=size))
    columns = data.draw(st.lists(of_one, min_size=1, max_size=5))
    rates = [data.draw(st.booleans()) for _ in columns]
    rows = np.arange(size) * 2
    expected = [
        column_of(rows, column, RATE if rate else 0) for column, rate in zip(columns, rates, strict=True)
    ]
    found = columns_of(rows, columns, rates)
    assert list(map(plain_column, found)) == list(map(plain_column, expected))


@pytest.mark.parametrize("size", [1, 15, 16, 65_535, 65_536])
def test_floats_become_a_matrix_whatever_their_number(size: int) -> None:
    column = np.random.default_rng(1).random(size).tolist()
    matrix = floats_of([column, column[::-1]])
    assert matrix is not None
    assert matrix.tolist() == [column, column[::-1]]


@pytest.mark.parametrize("other", [0, 2**63, 2**63 - 1, "12345678", "ËËËË", "Ë" * 7 + "1" * 2, ""])
def test_anything_else_than_floats_is_told_from_them(other: Value) -> None:
    for place in range(3):
        column: list[Value] = [1.5, 2.5, 3.5]
        column[place] = other
        assert floats_of([column]) is None
        assert floats_of([[0.5] * 3, column]) is None
