"""What became of a load: the counts that a fault test prints and holds against its promises."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.faults.load import BATCH, KIND_OF, Delivered, Load, Sent, confirmed, delivered, published


@dataclass(frozen=True)
class Counts:
    """`delivered` counts calls of handlers, of all tags; `redelivered` are those of them that came again.

    `handled`: what a handler that dedupes has done. `lost`: confirmed, and of a tag neither handled nor dead.
    `inversions`: batches of a partition first seen after a later one. `left`: still in a queue at the end.
    """

    published: int
    confirmed: int
    delivered: int
    handled: int
    redelivered: int
    dead: int
    lost: int
    inversions: int
    left: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in vars(self).items())


def count(load: Load, folder: Path, dead: int = 0, left: int = 0) -> Counts:
    """Read the files of a load; `dead` and `left` are the broker's."""
    safe = confirmed(folder)
    calls = delivered(folder)
    first = first_of_each(calls)
    handled = {(one.tag, one.number) for one in first}
    poison = {one for one in _due(safe) if _is_poison(load, *one)}
    return Counts(
        published=len(published(folder)),
        confirmed=len(safe),
        delivered=len(calls),
        handled=len(handled),
        redelivered=len(calls) - len(handled),
        dead=dead,
        lost=len(missing(load, folder, safe)) + max(0, len(poison) - dead),
        inversions=_inversions(first),
        left=left,
    )


def missing(load: Load, folder: Path, safe: set[Sent]) -> set[tuple[str, int]]:
    """The tags and numbers of what is `safe` that no handler has had, poison aside."""
    handled = {(call.tag, call.number) for call in delivered(folder)}
    return {one for one in _due(safe) - handled if not _is_poison(load, *one)}


def _due(safe: set[Sent]) -> set[tuple[str, int]]:
    """Each number for each tag that takes it."""
    return {(tag, number) for tag, kind in KIND_OF.items() for of, number in safe if of == kind}


def _is_poison(load: Load, tag: str, number: int) -> bool:
    return KIND_OF[tag] != BATCH and load.is_poison(number)


def first_of_each(calls: list[Delivered]) -> list[Delivered]:
    """The first call for each number of each tag: the one that a handler that dedupes does not pass over."""
    seen: Counter[tuple[str, int]] = Counter()
    first = []
    for call in calls:
        seen[call.tag, call.number] += 1
        if seen[call.tag, call.number] == 1:
            first.append(call)
    return first


def _inversions(first: list[Delivered]) -> int:
    """Batches that a tag saw after a later one of their partition."""
    last: dict[tuple[str, int], int] = defaultdict(int)
    inversions = 0
    for call in first:
        if KIND_OF[call.tag] == BATCH:
            lane = call.tag, call.partition
            inversions += call.number < last[lane]
            last[lane] = max(last[lane], call.number)
    return inversions
