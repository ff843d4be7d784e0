"""Bytes on disk of the same points: our rows file after compaction, and VictoriaMetrics after its merge."""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.peers.victoriametrics import VictoriaMetrics
from timeseries.collect import collect
from timeseries.compaction import places_of, thd_make
from timeseries.frames import CheckResult, Frame, decode_payload
from timeseries.rows import RowsFile
from timeseries.store import HOUR_MS, Hour


class OnDisk(NamedTuple):
    """Values, and their bytes in each round; texts and statuses are in ours alone, and so are rollups."""

    values: int
    ours: list[int]
    theirs: list[int]


def on_disk(frames: Sequence[Frame], copies: int, rounds: int) -> OnDisk:
    """The frames of a node, as those of so many nodes; raises BenchError."""
    measured = [_round(frames, copies) for _ in range(rounds)]
    (values, *_), ours, theirs = zip(*measured, strict=True)
    return OnDisk(values, list(ours), list(theirs))


def _round(frames: Sequence[Frame], copies: int) -> tuple[int, int, int]:
    with tempfile.TemporaryDirectory(prefix="picket-bench-") as folder:
        home = Path(folder)
        values = _fill_rows(home / "rows.db", frames, copies)
        with VictoriaMetrics("-retentionPeriod=100y").running(home) as peer:
            for number in range(copies):
                peer.write(_lines(frames, number))
            peer.merge()
            if not peer.points(frames[0].time_ms, frames[-1].time_ms):
                raise BenchError("VictoriaMetrics kept nothing, so that comparing means nothing")
        theirs = sum(_bytes(home / "data" / part) for part in ("data", "indexdb"))
        return values, sum(file.stat().st_size for file in home.glob("rows.db*")), theirs


def _fill_rows(path: Path, frames: Sequence[Frame], copies: int) -> int:
    """A pass an hour; returns how many numbers and texts there are."""
    file = RowsFile(path)
    file.thd_open()
    points = 0
    for start_ms, some in groupby(frames, key=lambda frame: frame.time_ms // HOUR_MS * HOUR_MS):
        collected = collect(some)
        for number in range(copies):
            hour = Hour("bench", f"n{number}", start_ms, 1)
            places = [place for which in collected.series for place in places_of(hour, which)]
            there = {row.place: row.data for row in file.thd_find(places)}
            made = thd_make(hour, collected, there)
            file.thd_put(hour, made.rows)
            points += made.points
    file.thd_close()
    return points


def _lines(frames: Iterable[Frame], number: int) -> Iterator[str]:
    """The numbers of each frame as Influx lines."""
    for frame in frames:
        results = decode_payload(frame.payload).results
        yield "".join(_line(result, number, frame.time_ms) for result in results)


def _line(result: CheckResult, number: int, time_ms: int) -> str:
    numbers = {name: value for name, value in result.metrics.items() if not isinstance(value, str)}
    key = f",key={_escaped(result.key)}" if result.key else ""
    fields = ",".join(f"{_escaped(name)}={value}" for name, value in numbers.items())
    return f"{_escaped(result.check)},node=n{number}{key} {fields} {time_ms}\n" if numbers else ""


def _escaped(text: str) -> str:
    return text.replace(",", r"\,").replace(" ", r"\ ").replace("=", r"\=")


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
