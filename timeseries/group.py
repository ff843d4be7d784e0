"""Writes that share a commit: those that wait while one is under way go together into the next."""

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from timeseries.frames import Frame

MAX_FRAMES = 5000

Waiting = tuple[Sequence[Frame], Deferred[None]]


class GroupCommit:
    """Calls `commit` with all the frames of a group, one group after the other."""

    def __init__(self, commit: Callable[[list[Frame]], Awaitable[None]]) -> None:
        self._commit = commit
        self._waiting: list[Waiting] = []
        self._committing = False

    async def write(self, frames: Sequence[Frame]) -> None:
        """Return when their group is committed; raises what `commit` raised for it."""
        done: Deferred[None] = Deferred()
        self._waiting.append((frames, done))
        if not self._committing:
            Deferred.fromCoroutine(self._commit_waiting())
        await done

    async def drain(self) -> None:
        """Return when nothing is under way."""
        if self._committing:
            await self.write(())

    async def _commit_waiting(self) -> None:
        self._committing = True
        while self._waiting:
            group = self._next_group()
            try:
                await self._commit([frame for frames, _ in group for frame in frames])
            except Exception:  # noqa: BLE001 - whatever it was, those who wait must hear of it
                failure = Failure()
                for _, done in group:
                    done.errback(failure)
            else:
                for _, done in group:
                    done.callback(None)
        self._committing = False

    def _next_group(self) -> list[Waiting]:
        """All that waits, up to so many frames that the next to come need not wait long."""
        group, size = [], 0
        while self._waiting and size < MAX_FRAMES:
            group.append(self._waiting.pop(0))
            size += len(group[-1][0])
        return group
