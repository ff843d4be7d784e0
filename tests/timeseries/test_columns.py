from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.series import START, one_series, plain
from tests.timeseries.test_merging import of_one_check
from timeseries.frames import Frame


@given(of_one_check(), st.integers(-1, 20), st.integers(-1, 20))
@settings(max_examples=40, deadline=None)
def test_the_rows_of_a_range_are_those_of_its_frames(written: list[Frame], start: int, end: int) -> None:
    within = [each for each in written if START + start <= each.time_ms < START + end]
    assert plain(one_series(written).between(START + start, START + end)) == plain(one_series(within))
