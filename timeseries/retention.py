"""How long rows of each level are kept."""

from typing import NamedTuple

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


USUAL = Retention(0)
"""What is kept where nothing else was set."""
