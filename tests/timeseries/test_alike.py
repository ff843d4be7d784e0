"""Frames that a type is made for are read as they are without it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.timeseries.hostile import ACCEPTED, REFUSED
from tests.timeseries.samples import frame, measured, result
from tests.timeseries.series import START, frames, plain, results
from timeseries import alike
from timeseries.alike import Groups
from timeseries.collect import Collected, collect
from timeseries.frames import Frame


def plainly(collected: Collected) -> Any:
    return {which: plain(columns) for which, columns in collected.series.items()}, collected.unreadable


def both_ways(written: list[Frame]) -> tuple[Any, Any]:
    """With types for all, and without any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alike, "FEW", 1)
        typed = plainly(collect(written))
        patch.setattr(alike, "FEW", 10**9)
        return typed, plainly(collect(written))


@given(frames(within_ms=5))
@settings(max_examples=60, deadline=None)
def test_any_frames(written: list[Frame]) -> None:
    typed, untyped = both_ways(written)
    assert typed == untyped


@given(st.lists(results(), max_size=3), st.lists(st.integers(0, 3), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_frames_of_some_layouts_by_turns(kinds: list[Any], turns: list[int]) -> None:
    layouts = [kinds, kinds[:1], [*kinds, *kinds], kinds[::-1]]
    written = [measured(START + n, *layouts[turn], origin=f"a:{n}") for n, turn in enumerate(turns)]
    typed, untyped = both_ways(written)
    assert typed == untyped


@pytest.mark.parametrize("name", sorted(REFUSED | ACCEPTED))
def test_hostile_ones_among_good_ones(name: str) -> None:
    payload = (REFUSED | ACCEPTED)[name](START)
    good = [measured(START + n, result(user=n), origin=f"a:{n}") for n in range(6)]
    hostile = [frame(START + n, f"b:{n}", payload) for n in range(2)]
    typed, untyped = both_ways([*good, *hostile])
    assert typed == untyped


TWICE = b'{"time": 1, "results": [{"check": "cpu", "metrics": {}, "metrics": {"user": 1}}]}'


def test_a_frame_that_no_type_reads_is_read_all_the_same() -> None:
    for time_ms in (-1, 1):
        written = [measured(START, result(user=0)), frame(START + time_ms, payload=TWICE)]
        typed, untyped = both_ways(written)
        assert typed == untyped
        assert typed[0]["cpu", ""]["metrics"]["user"]["rows"] == [0, 1]


def test_a_type_is_made_for_many_frames_and_for_few_layouts() -> None:
    same = [measured(START + n, result(user=n)) for n in range(alike.FEW)]
    (group,) = Groups(same).found()
    assert group.layout is not None
    (group,) = Groups(same[1:]).found()
    assert group.layout is None
    changing = [measured(START + n, {"check": "c", "metrics": {f"m{n}": n}}) for n in range(2 * alike.FEW)]
    groups = Groups(changing).found()
    assert sum(group.layout is not None for group in groups) == alike.MOST_TYPES
    assert len(groups) == len(changing)
