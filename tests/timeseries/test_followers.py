"""Columns that follow others are found, and whatever columns there are, every number comes back."""

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.timeseries.series import plain
from timeseries.blocks import KIND, VERSION, _decoder, decode_block, encode_block
from timeseries.columns import FLOAT, INT, Column, Columns, Numbers
from timeseries.errors import DamagedBlock
from timeseries.followers import FEWEST, Follower, find_followers
from timeseries.packed_columns import PackedColumn
from timeseries.scaling import Integers
from timeseries.sealed import HEAD_BYTES, seal

SIZE = 360
rng = np.random.default_rng(7)
USED = np.cumsum(rng.integers(-900, 900, SIZE)) + 600_000
FREE = 6_000_000 - USED
SHARE = np.rint(USED / 6_000_000 * 100_000).astype(np.int64)
PARTS = [rng.integers(0, 2500, SIZE) for _ in range(3)]
IDLE = 10_000 - sum(PARTS) + rng.integers(-1, 2, SIZE)
OTHER = np.cumsum(rng.integers(-900, 900, SIZE))


def columns_of(**numbers: Numbers) -> Columns:
    """A series of these metrics."""
    size = len(next(iter(numbers.values())))
    rows, texts = np.arange(size), [""] * size
    metrics = {
        name: Column(rows, np.full(size, INT if each.dtype == np.int64 else FLOAT, dtype=np.uint8), each)
        for name, each in sorted(numbers.items())
    }
    return Columns(rows, texts, texts, texts, metrics)


def leaders(**columns: Integers) -> dict[str, set[str]]:
    """Of each follower those that it follows."""
    names = list(columns)
    found = find_followers(dict(enumerate(columns.values())))
    return {names[place]: {names[leader] for leader in follower.places} for place, follower in found.items()}


def test_what_is_left_over_and_what_is_a_share_follow_what_they_are_made_of() -> None:
    assert leaders(free=FREE, used=USED, other=OTHER, share=SHARE) in (
        {"free": {"used"}, "share": {"used"}},
        {"used": {"free"}, "share": {"free"}},
    )


def test_what_adds_up_with_others_follows_all_of_them() -> None:
    found = leaders(a=PARTS[0], b=PARTS[1], c=PARTS[2], idle=IDLE, other=OTHER)
    ((follower, led_by),) = found.items()
    assert {follower, *led_by} == {"a", "b", "c", "idle"}


def test_columns_that_have_nothing_to_do_with_each_other_follow_none() -> None:
    assert leaders(used=USED, other=OTHER, part=PARTS[0]) == {}
    assert leaders(used=USED) == {}
    assert leaders(used=USED[: FEWEST - 1], free=FREE[: FEWEST - 1]) == {}


def test_a_follower_takes_little_room_and_comes_back() -> None:
    alone = len(encode_block(columns_of(used=USED)))
    both = columns_of(used=USED, free=FREE, share=SHARE / 1000)
    block = encode_block(both)
    assert len(block) < alone * 1.25
    assert plain(decode_block(block)) == plain(both)


def test_a_follower_is_decoded_without_its_leaders_being_asked_for() -> None:
    block = encode_block(columns_of(used=USED, free=FREE, share=SHARE / 1000))
    for name, numbers in (("used", USED), ("free", FREE), ("share", SHARE / 1000)):
        columns = decode_block(block, [name], with_rows=False)
        assert list(columns.metrics) == [name]
        assert columns.metrics[name].numbers.tobytes() == numbers.tobytes()


wild = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
factors = st.sampled_from([1, -1, 0.5, 1e-7, 3.7, 1e9])


@given(st.lists(wild, min_size=FEWEST, max_size=40), st.lists(st.tuples(factors, wild), max_size=4))
@example([0] * 31 + [2**63 - 1], [(1, 0)])
@example([-(2**63), 2**63 - 1] * 20, [(-1, -1), (1, 1)])
@example([2**62 + n % 2 for n in range(40)], [(1, 2**62)])
@example([2**40 * n * n % 1009 for n in range(40)], [(2.0**-40, 0), (2.0**20, 1)])
@settings(deadline=None, max_examples=200)
def test_whatever_there_is_comes_back(numbers: list[int], made: list[tuple[float, int]]) -> None:
    first = np.array(numbers, dtype=np.int64)
    with np.errstate(all="ignore"):
        others = [
            np.clip(first * factor + more, -(2.0**62), 2.0**62).astype(np.int64) for factor, more in made
        ]
    columns = columns_of(**{f"m{place}": each for place, each in enumerate([first, *others, first // 3])})
    assert plain(decode_block(encode_block(columns))) == plain(columns)


@pytest.mark.parametrize(
    "follows",
    [
        Follower([9], [1], 0),
        Follower([2], [1], 0),
        Follower([0], [1e300], 0),
        Follower([0], [float("nan")], 0),
        Follower([0, 0], [1], 0),
        Follower([], [], 0),
    ],
)
def test_a_block_that_lets_columns_follow_what_they_cannot_is_damaged(follows: Follower) -> None:
    block = _decoder.decode(encode_block(columns_of(a=USED, b=FREE))[HEAD_BYTES:])
    follower = msgspec.structs.replace(next(each for each in block.metrics if each.follows), follows=follows)
    leader = next(each for each in block.metrics if each.follows is None)
    third = PackedColumn("c", SIZE, None, INT, leader.numbers, None, Follower([0], [1], 0))
    damaged = seal(KIND, msgspec.structs.replace(block, metrics=[leader, follower, third]), VERSION)
    with pytest.raises(DamagedBlock):
        decode_block(damaged, [follower.name])
