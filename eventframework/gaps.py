"""How a stream's batches are numbered, and how a consumer sees by that which of them never came.

No broker tells what a full queue dropped. So each publisher of a stream numbers its batches, partition by
partition, and a consumer of the partition counts what is missing between two of one publisher. The first
batch of a publisher that it sees is no gap, whatever its number.
"""

import uuid
from collections import OrderedDict

from eventframework.broker import Stamp

MAX_PUBLISHERS = 64
"""Publishers of a partition that are remembered, the last ones heard of."""


class Numbers:
    """One publisher's stamps. After a publish that failed, and may never arrive, it is another publisher."""

    def __init__(self) -> None:
        self._last: dict[int, Stamp] = {}

    def next(self, partition: int) -> Stamp:
        """The stamp of the next batch of the partition."""
        publisher, number = self._last.get(partition) or (uuid.uuid4().hex[:12], 0)
        stamp = self._last[partition] = Stamp(publisher, number + 1)
        return stamp

    def failed(self, partition: int, stamp: Stamp) -> None:
        """The batch with this stamp may be lost on the publisher's side, which is no drop."""
        last = self._last.get(partition)
        if last and last.publisher == stamp.publisher:
            del self._last[partition]


class Gaps:
    """What has come so far of one partition."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()

    def before(self, stamp: Stamp) -> int:
        """How many batches are missing before this one; a batch that comes again has none."""
        last = self._last.get(stamp.publisher, stamp.number - 1)
        self._last[stamp.publisher] = max(last, stamp.number)
        self._last.move_to_end(stamp.publisher)
        if len(self._last) > MAX_PUBLISHERS:
            self._last.popitem(last=False)
        return max(0, stamp.number - last - 1)
