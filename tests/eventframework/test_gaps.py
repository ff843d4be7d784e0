"""Counting what never came."""

from eventframework.broker import Stamp
from eventframework.gaps import MAX_PUBLISHERS, Gaps, Numbers


def missing(*stamps: tuple[str, int]) -> list[int]:
    gaps = Gaps()
    return [gaps.before(Stamp(*stamp)) for stamp in stamps]


def test_what_is_missing_between_two_batches_of_a_publisher_is_counted() -> None:
    assert missing(("a", 1), ("a", 2), ("a", 5), ("a", 6), ("a", 8)) == [0, 0, 2, 0, 1]


def test_publishers_are_counted_apart() -> None:
    assert missing(("a", 1), ("b", 7), ("a", 2), ("b", 9), ("a", 4)) == [0, 0, 0, 1, 1]


def test_the_first_batch_of_a_publisher_is_no_gap_and_neither_is_one_that_comes_again() -> None:
    assert missing(("a", 40), ("a", 41), ("a", 40), ("a", 41), ("a", 42)) == [0, 0, 0, 0, 0]


def test_only_so_many_publishers_are_remembered_the_last_heard_of() -> None:
    gaps = Gaps()
    for number in range(10 * MAX_PUBLISHERS):
        gaps.before(Stamp(f"p{number}", 1))
        assert gaps.before(Stamp("steady", 2 * number + 1)) == (number > 0)
    assert len(gaps._last) == MAX_PUBLISHERS


def test_numbers_run_by_partition_and_a_failed_publish_makes_another_publisher() -> None:
    numbers = Numbers()
    first, other, second = numbers.next(0), numbers.next(1), numbers.next(0)
    assert (first.number, other.number, second.number) == (1, 1, 2)
    assert first.publisher == second.publisher
    numbers.failed(0, first)
    third = numbers.next(0)
    numbers.failed(0, second)
    assert third.publisher != first.publisher
    assert numbers.next(0) == third._replace(number=2)
    assert numbers.next(1) == other._replace(number=2)
