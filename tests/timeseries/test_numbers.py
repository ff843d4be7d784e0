import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeseries.columns import Numbers
from timeseries.numbers import Pack, Packed, pack, pack_all, unpack, unpack_floats, unpack_integers

int64s = st.integers(-(2**63), 2**63 - 1)
hundredths = st.integers(-(10**9), 10**9).map(lambda number: number / 100)


def size(packed: Pack) -> int:
    return len(packed.data) if isinstance(packed, Packed) else 0


def assert_comes_back(numbers: Numbers) -> None:
    found = unpack(pack(numbers), len(numbers))
    assert found.dtype == numbers.dtype
    assert found.tobytes() == numbers.tobytes()


@given(st.lists(int64s, min_size=1, max_size=50) | st.lists(st.integers(-9, 9), min_size=1))
@example([2**63 - 1, -(2**63)])
@example([2**62, 2**62 + 4096])
@settings(deadline=None)
def test_integers_come_back(numbers: list[int]) -> None:
    assert_comes_back(np.array(numbers, dtype=np.int64))


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=50) | st.lists(hundredths, min_size=1))
@example([0.0, -0.0])
@example([-0.0, -0.0])
@example([5e-324, 1.7976931348623157e308, float("inf"), float("-inf")])
@example([1e22, 3.0])
@example([0.1, 0.1 + 0.2])
@settings(deadline=None)
def test_floats_come_back_bit_for_bit(numbers: list[float]) -> None:
    assert_comes_back(np.array(numbers, dtype=np.float64))


def test_integers_that_packing_reads_are_not_changed() -> None:
    numbers = np.arange(0, 4096 * 9, 4096)
    pack(numbers)
    assert numbers.tolist() == list(range(0, 4096 * 9, 4096))


def test_what_does_not_change_takes_no_room() -> None:
    assert pack(np.full(360, 25_276_510_208)) == 25_276_510_208
    assert pack(np.full(360, 0.5)) == 0.5
    assert isinstance(pack(np.full(360, 4.0)), float)


def test_decimals_take_the_room_of_their_integers() -> None:
    integers = np.random.default_rng(1).integers(0, 10_000, 360)
    assert size(pack(integers / 100)) == size(pack(integers))


def test_memory_in_whole_pages_takes_the_room_of_page_numbers() -> None:
    pages = np.random.default_rng(2).integers(2_000_000, 2_001_000, 360)
    assert size(pack(pages * 4096)) <= size(pack(pages - pages[0])) + 4


def test_times_and_counters_take_the_room_of_their_steps() -> None:
    steps = np.random.default_rng(3).integers(9_990, 10_010, 360)
    assert size(pack(1_795_000_000_000 + np.cumsum(steps))) < 360
    assert size(pack(1_795_000_000_000 + np.arange(360) * 10_000)) < 50


def test_numbers_of_the_other_kind_are_refused() -> None:
    with pytest.raises(TypeError):
        unpack_integers(pack(np.array([0.5, 0.25])), 2)
    with pytest.raises(TypeError):
        unpack_floats(pack(np.array([1, 2])), 2)


columns = st.integers(1, 30).flatmap(
    lambda size: (
        st.lists(int64s, min_size=size, max_size=size).map(lambda some: np.array(some, dtype=np.int64))
        | st.lists(hundredths | st.floats(allow_nan=False), min_size=size, max_size=size).map(np.array)
    )
)


@given(st.lists(columns, max_size=6))
@settings(deadline=None)
def test_many_columns_at_once_are_packed_as_each_by_itself(numbers: list[Numbers]) -> None:
    assert pack_all(numbers) == list(map(pack, numbers))


def test_walks_are_kept_by_their_steps_and_jumps_as_they_are() -> None:
    jumps = np.random.default_rng(4).integers(0, 1000, 360)
    walk = np.cumsum(jumps - 500)
    assert size(pack(walk)) < size(pack(walk[np.random.default_rng(5).permutation(360)])) * 0.8
    assert size(pack(jumps)) < size(pack(np.append(jumps[::2], jumps[1::2]))) * 1.01 < 500
