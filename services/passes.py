"""The passes of a shard: its due hours, oldest first, several nodes at once, never two passes of one node."""

from collections.abc import Awaitable, Callable, Iterable
from itertools import groupby
from typing import NamedTuple

from twisted.internet.defer import CancelledError, DeferredSemaphore
from twisted.logger import Logger

from eventframework.clock import Clock
from services.abreast import each
from statslib import Stats
from timeseries.compaction import compact
from timeseries.errors import StoreUnavailable
from timeseries.store import HOUR_MS, Hour, InThread, TimeSeriesStore

ASIDE_S = (300.0, 3600.0, 6 * 3600.0)
"""How long an hour whose pass has failed is left alone, after the first failure, the second, and so on."""

UNAVAILABLE_S = 30.0
"""The same where the store did not answer: the hour may be too much for it, and others are not."""

PATIENCE = 20
"""How many times as long as its frames have to be still an hour waits for that at most."""

Confirm = Callable[[], Awaitable[None]]

_log = Logger(namespace="services.compact")


class Interrupted(Exception):
    """A pass that was not completed because of what is no fault of its hour."""


class Seen(NamedTuple):
    """A due hour as it was seen: its mark, since when it has that one, and since when it is due; seconds."""

    mark: int
    since_s: float
    first_s: float


class Passes:
    """Looks for due hours that ended `after_s` ago, and makes passes, of all shards `at_once` at a time.

    An hour whose late frames are just coming, such as of an agent that was offline, waits until none has come
    for `still_s`, so that it is not passed again and again.
    """

    def __init__(
        self,
        clock: Clock,
        store: TimeSeriesStore,
        in_thread: InThread,
        stats: Stats,
        *,
        after_s: float,
        still_s: float,
        at_once: int,
    ) -> None:
        self._clock, self._store, self._in_thread, self._stats = clock, store, in_thread, stats
        self._after_ms, self._still_s = int(after_s * 1000), still_s
        self._places = DeferredSemaphore(at_once)
        self._aside: dict[Hour, tuple[int, float]] = {}
        self._seen: dict[int, dict[Hour, Seen]] = {}
        self._due: dict[int, list[Hour]] = {}
        stats.gauge("due", lambda: sum(map(len, self._due.values())))
        stats.gauge("aside", lambda: len(self._aside))
        stats.gauge("lag_s", self._lag_s)

    async def look(self, shard: int) -> list[Hour]:
        """The hours of a shard that are to be passed now, oldest first."""
        before_ms = self._now_ms() - HOUR_MS - self._after_ms + 1
        due = self._due[shard] = sorted(await self._store.due(shard, before_ms), key=_start_ms)
        now, before = self._clock.seconds(), self._seen.get(shard, {})
        found = [(hour, _bare(hour)) for hour in due]
        seen = self._seen[shard] = {bare: _seen(hour, before.get(bare), now) for hour, bare in found}
        return [
            hour
            for hour, bare in found
            if self._aside.get(bare, (0, 0.0))[1] <= now and self._is_still(seen[bare], now)
        ]

    def _is_still(self, seen: Seen, now: float) -> bool:
        """A clock that was set back makes no hour wait."""
        if now < seen.since_s:
            return True
        return now - seen.since_s >= self._still_s or now - seen.first_s >= PATIENCE * self._still_s

    async def make(self, hours: Iterable[Hour], confirm: Confirm, until: Callable[[], bool]) -> None:
        """Make passes until `until()`. Raises StoreUnavailable, or what `confirm` raises (see `compact`).

        All that have begun have ended when it returns or raises. What an hour fails with sets it aside.
        """

        async def one(hour: Hour) -> None:
            if not until():
                await self._pass(hour, confirm)

        for _, of_one_start in groupby(hours, key=_start_ms):
            await each(of_one_start, one, self._places)

    async def _pass(self, hour: Hour, confirm: Confirm) -> None:
        try:
            passed = await compact(self._store, self._in_thread, hour, confirm)
        except (Interrupted, CancelledError):
            raise
        except StoreUnavailable:
            self._set_aside(hour, (UNAVAILABLE_S,))
            raise
        except Exception:  # noqa: BLE001 - one hour must not keep the others waiting
            self._set_aside(hour, ASIDE_S)
            self._stats.increment("failed")
            _log.failure("the pass of {start_ms} of {node_id} failed, later again", **hour._asdict())
            return
        self._aside.pop(_bare(hour), None)
        for name, count in passed._asdict().items():
            self._stats.increment(name, count)
        self._stats.increment("hours")

    def _set_aside(self, hour: Hour, waits_s: tuple[float, ...]) -> None:
        failures, _ = self._aside.get(_bare(hour), (0, 0.0))
        wait_s = waits_s[min(failures, len(waits_s) - 1)]
        self._aside[_bare(hour)] = failures + 1, self._clock.seconds() + wait_s

    def _lag_s(self) -> float:
        """How long ago the oldest due hour ended, 0 where none is due."""
        oldest_ms = min((due[0].start_ms for due in self._due.values() if due), default=None)
        return 0.0 if oldest_ms is None else (self._now_ms() - oldest_ms - HOUR_MS) / 1000

    def _now_ms(self) -> int:
        return int(self._clock.seconds() * 1000)


def _start_ms(hour: Hour) -> int:
    return hour.start_ms


def _seen(hour: Hour, before: Seen | None, now: float) -> Seen:
    if before is None:
        return Seen(hour.mark, now, now)
    return before if before.mark == hour.mark else Seen(hour.mark, now, before.first_s)


def _bare(hour: Hour) -> Hour:
    """The hour whatever its mark: a new frame makes no pass of it succeed."""
    return hour._replace(mark=0)
