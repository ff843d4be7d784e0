"""Who is to have which partition."""

from collections import Counter
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventframework.shares import assign

names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)


@given(st.sets(names, min_size=1, max_size=20), st.integers(1, 64))
def test_loads_differ_by_one_at_most_and_every_partition_has_an_owner(
    members: set[str], partitions: int
) -> None:
    owners = assign("results.state", members, partitions)
    assert len(owners) == partitions
    assert set(owners) <= members
    loads = [Counter(owners)[member] for member in members]
    assert max(loads) - min(loads) <= 1


@given(st.lists(names, min_size=1, max_size=12, unique=True))
def test_it_does_not_matter_in_which_order_members_are_known(members: list[str]) -> None:
    assert assign("g", sorted(members), 16) == assign("g", members[::-1], 16)


@pytest.mark.parametrize("number", [2, 3, 5, 8])
def test_few_partitions_move_when_a_member_joins_or_leaves(number: int) -> None:
    def moved(seed: int) -> int:
        members = [f"{seed}-{member}" for member in range(number + 1)]
        before, after = assign("g", members[:-1], 16), assign("g", members, 16)
        return sum(one != other for one, other in zip(before, after, strict=True))

    assert mean(map(moved, range(50))) <= 16 / (number + 1) + 2.5


def test_two_groups_are_shared_differently_by_the_same_members() -> None:
    members = [f"m{number}" for number in range(4)]
    assert assign("results.state", members, 16) != assign("results.archive", members, 16)


def test_a_group_of_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"results\.state"):
        assign("results.state", [], 16)
