"""What `bench query` asks for: a day of a busy node, a year of another, a month of a whole fleet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import orjson

from bench.points import INTERVAL_MS, Row, payload, results, values
from timeseries.collect import Which, collect
from timeseries.columns import Columns
from timeseries.compaction import FINE_SLOTS
from timeseries.frames import Frame
from timeseries.hours import pack_hour
from timeseries.rolling import coarsen_all, roll, roll_all
from timeseries.rollup_rows import MOST_HOURS, encode_rollup, replace_hour
from timeseries.store import DAY_MS, HOUR_MS, Level, Place, SeriesKey
from timeseries.store import Row as StoredRow

ACCOUNT = "bench"
DAY_NODE, YEAR_NODE, FIRST_OF_FLEET = 0, 1, 1000
GRAPHS: dict[Which, list[str]] = {
    ("cpu", ""): ["cpu_user", "cpu_sys", "cpu_idle"],
    ("mem", ""): ["mem_used", "mem_free"],
    ("disk", "/"): ["capacity", "bavail"],
    ("net", "eth0"): ["in_bytes", "out_bytes"],
    ("loadaverage", ""): ["loadaverage_1m", "loadaverage_5m", "loadaverage_15m"],
}
"""Twelve metrics of five checks: what a node page shows at first."""

RANKED = ("cpu", "", "cpu_user")


class Measured(NamedTuple):
    """One frame of a node."""

    time_ms: int
    node: int
    row: Row


@dataclass(frozen=True)
class Data:
    """How much there is of what, up to `end_ms`, the end of an hour.

    The day has half an hour more, of the hour that is still open, every ten seconds and of all checks. The
    year and the fleet's month have frames as often as is said, of the checks that are asked for.
    """

    end_ms: int
    year_interval_ms: int = 60_000
    fleet: int = 1000
    fleet_interval_ms: int = HOUR_MS
    alike: int = 10
    """Nodes of the fleet, one after the other, that measure the same: made once, they cost less to make."""

    def day(self) -> Iterator[Measured]:
        """24 hours and a half."""
        count = (DAY_MS + HOUR_MS // 2) // INTERVAL_MS
        return self._frames(DAY_NODE, DAY_NODE, self.end_ms - DAY_MS, INTERVAL_MS, count)

    def late(self, number: int) -> Measured:
        """One more of the day's frames: a second after the last, two seconds, and so on."""
        (measured,) = self._frames(DAY_NODE, DAY_NODE, self.last_day()[1] + number * 1000, 1000, 1)
        return measured

    def year(self) -> Iterator[Measured]:
        """365 days."""
        count = 365 * DAY_MS // self.year_interval_ms
        return self._frames(YEAR_NODE, YEAR_NODE, self.end_ms - 365 * DAY_MS, self.year_interval_ms, count)

    def last_day(self) -> tuple[int, int]:
        """The 24 hours up to its last frame, in milliseconds."""
        return self.end_ms - DAY_MS + HOUR_MS // 2, self.end_ms + HOUR_MS // 2

    def last_year(self) -> tuple[int, int]:
        """All of it, in milliseconds."""
        return self.end_ms - 365 * DAY_MS, self.end_ms

    def nodes(self) -> range:
        """The fleet."""
        return range(FIRST_OF_FLEET, FIRST_OF_FLEET + self.fleet)

    def month(self, node: int) -> Iterator[Measured]:
        """31 days of a node of the fleet."""
        like = node - (node - FIRST_OF_FLEET) % self.alike
        count = 31 * DAY_MS // self.fleet_interval_ms
        return self._frames(node, like, self.end_ms - 31 * DAY_MS, self.fleet_interval_ms, count)

    def _frames(
        self, node: int, like: int, start_ms: int, interval_ms: int, count: int
    ) -> Iterator[Measured]:
        for first in range(0, count, 1024):
            for index, row in enumerate(_rows(like, first, min(1024, count - first)), first):
                yield Measured(start_ms + index * interval_ms, node, row)


@lru_cache(maxsize=1)
def _rows(node: int, first: int, count: int) -> list[Row]:
    return values(node, first, count)


def name_of(node: int) -> str:
    """The id of a node, the same for all contenders."""
    return f"n{node}"


def whole_frame(measured: Measured) -> Frame:
    """A frame as the archive writes it."""
    time_ms, node, row = measured
    return Frame(ACCOUNT, name_of(node), "a:1", time_ms, time_ms, payload(time_ms, row))


def hour_rows(measured: Sequence[Measured], wanted: Sequence[Which]) -> Iterator[StoredRow]:
    """The hourly rollups of a month (UTC) of a node: bit for bit what a pass an hour makes of the same."""
    collected = collect([bare_frame(each, wanted) for each in measured])
    first_ms = measured[0].time_ms // HOUR_MS * HOUR_MS
    for which, columns in collected.series.items():
        place = Place(
            SeriesKey(ACCOUNT, name_of(measured[0].node), *which), Level.HOUR, Level.HOUR.period(first_ms)
        )
        yield StoredRow(place, _hour_row(columns, first_ms))


def _hour_row(columns: Columns, first_ms: int) -> bytes:
    hours = int(columns.times[-1] - first_ms) // HOUR_MS + 1
    ends = Level.HOUR.period(first_ms) != Level.HOUR.period(first_ms + hours * HOUR_MS)
    packed = hours if ends else hours - hours % MOST_HOURS
    row = encode_rollup(roll(columns, first_ms, HOUR_MS, packed)) if packed else None
    for start_ms in range(first_ms + packed * HOUR_MS, first_ms + hours * HOUR_MS, HOUR_MS):
        sheets = coarsen_all(
            roll_all([columns.between(start_ms, start_ms + HOUR_MS)], start_ms, FINE_SLOTS), FINE_SLOTS
        )
        (parts,) = pack_hour(sheets, start_ms // HOUR_MS, 1)
        row = replace_hour(row, HOUR_MS, start_ms, parts, pack=False)
    assert row is not None
    return row


def bare_frame(measured: Measured, wanted: Sequence[Which]) -> Frame:
    """A frame of the wanted checks and keys alone."""
    time_ms, node, row = measured
    body = [
        {
            "check": check,
            "key": key,
            "metrics": {name: row[index] for name, index in where.items()},
            "rates": rates,
        }
        for check, key, where, rates in results()
        if (check, key) in wanted
    ]
    text = orjson.dumps({"time": time_ms, "results": body})
    return Frame(ACCOUNT, name_of(node), "a:1", time_ms, time_ms, text)
