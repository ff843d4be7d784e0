"""SQLite where each transaction of this process waits for its turn at a lock.

SQLite itself lets writers poll, and under load some starve until they time out. Writers of other processes,
and single statements outside a transaction, still wait as SQLite has it.
"""

from threading import Lock
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base

WAIT_S = 20
_turns: dict[str, Lock] = {}
"""A lock for each database file of this process."""


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that holds the write lock of its file from BEGIN IMMEDIATE to COMMIT or ROLLBACK."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._turn: Lock | None = None

    def _start_transaction_under_autocommit(self) -> None:
        turn = _turns.setdefault(str(self.settings_dict["NAME"]), Lock())
        if not turn.acquire(timeout=WAIT_S):
            raise OperationalError(f"database is locked: no turn to write within {WAIT_S} s")
        self._turn = turn
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._end_turn()
            raise

    def _commit(self) -> None:
        super()._commit()  # type: ignore[misc]  # the stubs lack Django's own hooks
        self._end_turn()

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._end_turn()

    def _close(self) -> None:
        try:
            super()._close()  # type: ignore[misc]
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, None
        if turn:
            turn.release()
