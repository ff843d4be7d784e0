"""Errors gathered for one mail: how often each distinct one happened, and the first of each in full."""

from collections import Counter
from collections.abc import Callable
from itertools import islice

from picket.log.lines import human
from picket.log.record import Record

KINDS = 50
"""Distinct errors that are told apart; the rest are counted."""

Kind = tuple[str, str]
"""(logger, template): what errors that differ in their fields alone have in common."""


class Digest:
    """What has gathered since the last mail; not safe across threads."""

    def __init__(self) -> None:
        self.total = 0
        self._counts: Counter[Kind] = Counter()
        self._firsts: dict[Kind, Record] = {}

    def add(self, kind: Kind, record: Callable[[], Record]) -> None:
        """Count an error; `record` is asked for the first of each kind only."""
        self.total += 1
        if kind in self._firsts:
            self._counts[kind] += 1
        elif len(self._firsts) < KINDS:
            self._counts[kind] = 1
            self._firsts[kind] = record()

    def absorb(self, later: "Digest") -> None:
        """Take over what has gathered since."""
        self.total += later.total
        known = dict(islice((self._firsts | later._firsts | self._firsts).items(), KINDS))
        self._counts = Counter({kind: self._counts[kind] + later._counts[kind] for kind in known})
        self._firsts = known

    def subject(self, where: str) -> str:
        """Such as `Picket: 10000 errors on host (picket gateway)`."""
        return f"Picket: {self.total} error{'s' * (self.total > 1)} on {where}"

    def text(self) -> str:
        """Each kind with its count, the most frequent first, and its first error."""
        parts = [f"{count} x {human(self._firsts[kind])}" for kind, count in self._counts.most_common()]
        others = self.total - self._counts.total()
        return "\n".join([*parts, f"and {others} of other kinds\n"] if others else parts)
