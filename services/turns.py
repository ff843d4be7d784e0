"""What a service does while its store is away: one call at a time asks it, all others wait for their turn."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.logger import Logger

from eventframework.errors import RetryLater
from statslib import Stats
from timeseries.errors import StoreUnavailable

AGAIN_S = (2.0, 4.0)
"""Between these a turn comes again: however many wait, they do not come all at once."""


class Turns:
    """Each call to the store takes a turn; what raises StoreUnavailable in it has to come again later.

    While the store is away, whoever comes while another asks it is sent away at once. So what waits costs no
    more than its place, the log is not filled with what is known, and the stats say why nothing is done.
    """

    def __init__(self, stats: Stats, log: Logger) -> None:
        self._stats, self._log = stats, log
        self._away = ""
        self._asking = False

    def check(self) -> None:
        """Raise RetryLater if there is no turn to take."""
        if self._away and self._asking:
            raise self._later()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Raises RetryLater, instead of what is inside or after it."""
        self.check()
        is_away = self._asking = bool(self._away)
        try:
            yield
        except StoreUnavailable as error:
            self._note(f"StoreUnavailable: {error}")
            raise self._later() from error
        else:
            self._note("")
        finally:
            self._asking = self._asking and not is_away

    def _note(self, away: str) -> None:
        """Tell once, and say it to whoever asks whether the service is ready."""
        if bool(away) != bool(self._away):
            said = "the store is away, all waits: {away}" if away else "the store is back"
            self._log.warn(said, away=away)
        if self._stats.unready == self._away:
            self._stats.unready = away
        self._away = away

    def _later(self) -> RetryLater:
        return RetryLater(random.uniform(*AGAIN_S))  # noqa: S311 - no secret
