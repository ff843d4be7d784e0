"""How long rows of each level are kept."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import picket.settings
from timeseries.store import DAY_MS, Level

DAYS = {Level.RAW: 14, Level.FIVE_MINUTES: 120, Level.HOUR: 3 * 366}

LATE_DAYS = 2
"""Rows and frames are there so much longer than is promised.

The pass of a late frame makes the rollups of its hour anew, so it has to find the hour's raw row.
"""


class Retention(NamedTuple):
    """The days that each level goes back from `now_ms`."""

    now_ms: int
    raw_days: int = DAYS[Level.RAW]
    five_minutes_days: int = DAYS[Level.FIVE_MINUTES]
    hour_days: int = DAYS[Level.HOUR]

    def days(self, level: Level) -> int:
        """How many are promised."""
        of_levels = {
            Level.RAW: self.raw_days,
            Level.FIVE_MINUTES: self.five_minutes_days,
            Level.HOUR: self.hour_days,
        }
        return of_levels[level]

    def begin_ms(self, level: Level) -> int:
        """Rows whose period ended before may be gone."""
        return self.now_ms - self.days(level) * DAY_MS

    def end_ms(self, level: Level) -> int:
        """Rows whose period began before are to be forgotten: they ended LATE_DAYS before `begin_ms`."""
        return level.period(self.begin_ms(level) - LATE_DAYS * DAY_MS)


class Kept(NamedTuple):
    """What is kept of every account: `usual` days, or those of its own."""

    usual: Retention = Retention(0)
    accounts: Mapping[str, Retention] = MappingProxyType({})

    def of(self, account_id: str, now_ms: int = 0) -> Retention:
        """What is kept of an account."""
        return self.accounts.get(account_id, self.usual)._replace(now_ms=now_ms)

    def lives_s(self, account_id: str, level: Level) -> int:
        """How many seconds what is written now is there."""
        return (self.of(account_id).days(level) + LATE_DAYS) * DAY_MS // 1000

    def most_days(self, level: Level) -> int:
        """Of any account."""
        return max(each.days(level) for each in (self.usual, *self.accounts.values()))


def kept(settings: picket.settings.Retention) -> Kept:
    """As the settings say."""
    usual = settings.model_dump(exclude={"accounts"})
    accounts = {
        account_id: Retention(0, **usual | own.model_dump(exclude_none=True))
        for account_id, own in settings.accounts.items()
    }
    return Kept(Retention(0, **usual), accounts)


USUAL = Kept()
"""What is kept where nothing else was set."""
