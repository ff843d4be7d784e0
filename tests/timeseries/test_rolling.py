from hypothesis import given, settings

from tests.timeseries.series import HOUR_MS, START, frames, plain_rollup
from timeseries.collect import collect
from timeseries.frames import Frame
from timeseries.rolling import coarsen_all, roll, roll_all, rollups_of
from timeseries.rollups import FINE_MS


@given(frames(within_ms=2 * HOUR_MS))
@settings(max_examples=60, deadline=None)
def test_many_series_at_once_are_each_by_itself(written: list[Frame]) -> None:
    series = list(collect(written).series.values())
    fine = roll_all(series, START, 24)
    for sheets, width_ms in ((fine, FINE_MS), (coarsen_all(fine, 12), HOUR_MS)):
        alone = [roll(columns, START, width_ms, 2 * HOUR_MS // width_ms) for columns in series]
        found = rollups_of(sheets, width_ms, len(series))
        assert list(map(plain_rollup, found)) == list(map(plain_rollup, alone))


def test_no_series_have_no_slots() -> None:
    assert roll_all([], START, 12) == []
    assert rollups_of([], FINE_MS, 0) == []
