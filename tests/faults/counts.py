"""What became of a load: the counts that a fault test prints and holds against its promises."""

from collections import defaultdict
from dataclasses import dataclass

from tests.faults.load import BATCH, KIND_OF, Delivered, Load
from tests.faults.record import Record


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


def count(load: Load, record: Record, dead: int = 0, left: int = 0) -> Counts:
    """The counts of a record; `dead` and `left` are the broker's."""
    poison = {one for one in record.due if _is_poison(load, *one)}
    return Counts(
        published=len(record.published),
        confirmed=len(record.confirmed),
        delivered=len(record.calls),
        handled=len(record.handled),
        redelivered=len(record.calls) - len(record.handled),
        dead=dead,
        lost=len(record.due - record.handled - poison) + max(0, len(poison) - dead),
        inversions=_inversions(record.first),
        left=left,
    )


def _is_poison(load: Load, tag: str, number: int) -> bool:
    return KIND_OF[tag] != BATCH and load.is_poison(number)


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
