"""How long rows of each level are kept."""

from typing import NamedTuple

from timeseries.store import DAY_MS, Level

DAYS = {Level.RAW: 14, Level.FIVE_MINUTES: 120, Level.HOUR: 3 * 366}


class Retention(NamedTuple):
    """The days that each level goes back from `now_ms`."""

    now_ms: int
    raw_days: int = DAYS[Level.RAW]
    five_minutes_days: int = DAYS[Level.FIVE_MINUTES]
    hour_days: int = DAYS[Level.HOUR]

    def begin_ms(self, level: Level) -> int:
        """Rows whose period ended before may be gone."""
        days = {
            Level.RAW: self.raw_days,
            Level.FIVE_MINUTES: self.five_minutes_days,
            Level.HOUR: self.hour_days,
        }
        return self.now_ms - days[level] * DAY_MS
