import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.samples import measured, result
from tests.timeseries.series import EMPTY, START, frames, one_series, plain
from timeseries.blocks import decode_identities, encode_block
from timeseries.collect import collect
from timeseries.compaction import merged
from timeseries.errors import DamagedBlock
from timeseries.frames import Frame
from timeseries.merging import has_all, identities_of, merge


@st.composite
def of_one_check(draw: st.DrawFn) -> list[Frame]:
    """Frames with one result each; identities occur again from one list to the next, with other content."""
    return [each for each in draw(frames(checks=("cpu",))) if set(collect([each]).series) == {("cpu", "")}]


def test_rows_of_both_come_in_order_of_time_and_origin() -> None:
    old = one_series([measured(START, result(a=1), origin="a:2"), measured(START + 9, result(a=4))])
    new = one_series([measured(START, result(a=0), origin="a:1"), measured(START + 5, result(b=0.5))])
    both = merge(old, new)
    assert both.identities() == [
        (START, "a:1"), (START, "a:2"), (START + 5, "a:1"), (START + 9, "a:1"),
    ]  # fmt: skip
    assert both.metrics["a"].values() == [0, 1, 4]
    assert both.metrics["a"].rows.tolist() == [0, 1, 3]
    assert both.metrics["b"].rows.tolist() == [2]


def test_of_a_frame_in_both_the_new_rows_stay_and_no_old_one() -> None:
    old = one_series([measured(START, result(a=1, b=1), result(a=2)), measured(START + 1, result(a=3))])
    new = one_series([measured(START, result(a=4.5) | {"status": "new"})])
    both = merge(old, new)
    assert both.metrics["a"].values() == [4.5, 3]
    assert list(both.metrics) == ["a"]
    assert list(both.statuses) == ["new", ""]


def test_a_column_is_of_integers_again_when_its_only_text_is_replaced() -> None:
    old = one_series([measured(START, result(a="seven")), measured(START + 1, result(a=8))])
    new = one_series([measured(START, result(a=7))])
    assert plain(merge(old, new)) == plain(
        one_series([measured(START, result(a=7)), measured(START + 1, result(a=8))])
    )


@given(of_one_check(), of_one_check())
@settings(max_examples=40, deadline=None)
def test_merging_is_what_collecting_all_frames_at_once_would_be(old: list[Frame], new: list[Frame]) -> None:
    assert plain(merge(one_series(old), one_series(new))) == plain(one_series([*old, *new]))


@given(of_one_check(), of_one_check(), of_one_check())
@settings(max_examples=40, deadline=None)
def test_merging_again_or_in_other_steps_changes_nothing(
    a: list[Frame], b: list[Frame], c: list[Frame]
) -> None:
    one, two, three = map(one_series, (a, b, c))
    assert plain(merge(one, one)) == plain(one)
    assert plain(merge(merge(one, two), two)) == plain(merge(one, two))
    assert plain(merge(merge(one, two), three)) == plain(merge(one, merge(two, three)))
    assert plain(merge(one, EMPTY)) == plain(merge(EMPTY, one)) == plain(one)


@given(of_one_check())
@settings(max_examples=40, deadline=None)
def test_frames_of_their_own_merge_the_same_either_way(written: list[Frame]) -> None:
    one, two = one_series(written[::2]), one_series(written[1::2])
    assert plain(merge(one, two)) == plain(merge(two, one)) == plain(one_series(written))


@given(of_one_check(), of_one_check())
@settings(max_examples=60, deadline=None)
def test_a_row_and_frames_make_the_same_whether_or_not_the_frames_have_all_of_it(
    old: list[Frame], new: list[Frame]
) -> None:
    for frames_of_row in (old, new, new[::2]):
        row, fresh = one_series(frames_of_row), one_series(new)
        if len(row.times):
            block = encode_block(row)
            assert decode_identities(block).pairs() == row.identities()
            assert plain(merged(block, fresh)) == plain(merge(row, fresh))


def test_frames_have_all_of_a_row_if_none_of_its_own_is_missing() -> None:
    written = [measured(START + n // 2, result(a=n), origin=f"a:{n}") for n in range(4)]
    whole, part = (identities_of(of.times, of.origins) for of in map(one_series, (written, written[1:])))
    assert has_all(whole, part)
    assert has_all(whole, whole)
    assert not has_all(part, whole)


def test_a_damaged_block_has_no_identities() -> None:
    block = encode_block(one_series([measured(START, result(a=1))]))
    with pytest.raises(DamagedBlock):
        decode_identities(block[:-1] + b"?")
