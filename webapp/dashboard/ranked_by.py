"""By which checks nodes were ranked lately: their newest numbers are kept ready for who asks again."""

from collections.abc import Collection

KEPT_MS = 60_000
MOST = 4
"""Checks of an account: each costs some 20 µs of every frame that comes."""

CheckId = tuple[str, str]


class RankedBy:
    """Of each account the checks and keys, and until when they count."""

    def __init__(self) -> None:
        self._until_ms: dict[str, dict[CheckId, int]] = {}

    def note(self, account_id: str, which: CheckId, now_ms: int) -> None:
        """Nodes of the account are ranked by this check and key."""
        of_account = self._until_ms.setdefault(account_id, {})
        of_account.pop(which, None)
        of_account[which] = now_ms + KEPT_MS
        if len(of_account) > MOST:
            del of_account[next(iter(of_account))]

    def of(self, account_id: str, now_ms: int) -> Collection[CheckId]:
        """Those that count, most often none."""
        of_account = self._until_ms.get(account_id)
        if not of_account:
            return ()
        if any(until_ms <= now_ms for until_ms in of_account.values()):
            of_account = {which: until for which, until in of_account.items() if until > now_ms}
            self._until_ms[account_id] = of_account
        return of_account
