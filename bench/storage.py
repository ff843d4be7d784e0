"""`python -m bench storage`: bytes and CPU a value of blocks and rollups, of made-up and recorded frames."""

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench import points, recording
from bench.disk import OnDisk, on_disk
from timeseries.blocks import decode_block, encode_blocks
from timeseries.collect import Collected, collect
from timeseries.columns import Column
from timeseries.compaction import thd_make
from timeseries.frames import Frame, decode_payload
from timeseries.store import HOUR_MS, Hour, Level, Place

DISK_ROUNDS = 3
"""In which ours and the peer are filled anew: the peer's parts are others each time."""


class Stored(NamedTuple):
    """Values, their bytes at rest, and the CPU that each step takes, in microseconds a value, by round."""

    values: int
    block_bytes: int
    rollup_bytes: int
    steps: dict[str, list[float]]


def run(recorded: Sequence[Path], hours: int, rounds: int, nodes: int) -> tuple[list[str], dict[str, float]]:
    """The table's lines, and the figures by their names; raises BenchError."""
    frames = {"made_up": made_up(hours)} | ({"recorded": recording.laid(recorded)} if recorded else {})
    stored = {name: measure(some, rounds) for name, some in frames.items()}
    lines = [line for name, of in stored.items() for line in table(name, of)]
    figures = {f"{name}_bytes_per_point": of.block_bytes / of.values for name, of in stored.items()}
    if nodes:
        disk = on_disk(list(frames.values())[-1], nodes, DISK_ROUNDS)
        lines += disk_table(disk)
        figures |= disk_figures(disk)
    return lines, {name: round(value, 4) for name, value in figures.items()}


def made_up(hours: int) -> list[Frame]:
    """The frames of one made-up node."""
    span = points.Span(1, 0, hours * HOUR_MS // points.INTERVAL_MS, recording.begin_of(hours * HOUR_MS))
    return [
        Frame("bench", "made-up", f"a:{seq}", time_ms, time_ms, points.payload(time_ms, row))
        for seq, (time_ms, _, row) in enumerate(span.frames(), 1)
    ]


def measure(frames: Sequence[Frame], rounds: int) -> Stored:
    """A node's frames as passes take them in, an hour each, and the rows that stand at their end."""
    hours = [list(some) for _, some in groupby(frames, key=lambda frame: frame.time_ms // HOUR_MS)]
    collected = [collect(some) for some in hours]
    rows = passed(collected)
    blocks = [data for place, data in rows.items() if place.level is Level.RAW]
    steps: dict[str, Callable[[], object]] = {
        "decode frames": lambda: all(decode_payload(frame.payload) for frame in frames),
        "make columns of frames": lambda: all(collect(some) for some in hours),
        "encode blocks": lambda: all(encode_blocks(list(each.series.values())) for each in collected),
        "make all rows of columns": lambda: passed(collected),
        "decode blocks": lambda: all(decode_block(block) for block in blocks),
        "decode blocks for a graph": lambda: all(decode_block(block, with_rows=False) for block in blocks),
    }
    values = sum(len(metric.rows) for each in collected for metric in _metrics(each))
    took = {name: [_cpu_us(step) / values for _ in range(rounds)] for name, step in steps.items()}
    block_bytes = sum(map(len, blocks))
    return Stored(values, block_bytes, sum(map(len, rows.values())) - block_bytes, took)


def passed(collected: Sequence[Collected]) -> dict[Place, bytes]:
    """The rows that stand after passes of these hours, one after the other."""
    rows: dict[Place, bytes] = {}
    for each in collected:
        first_ms = min(int(columns.times[0]) for columns in each.series.values())
        hour = Hour("bench", "node", first_ms // HOUR_MS * HOUR_MS, 1)
        rows |= {row.place: row.data for row in thd_make(hour, each, rows).rows}
    return rows


def table(name: str, stored: Stored) -> Iterator[str]:
    """Lines for people."""
    sizes = [f"{size / stored.values:.2f}" for size in (stored.block_bytes, stored.rollup_bytes)]
    yield f"{name}: {stored.values:,} values; bytes a value: {sizes[0]} in blocks, {sizes[1]} in rollups"
    for step, us in stored.steps.items():
        yield f"  {step:26}{median(us):8.3f} µs of CPU a value ({min(us):.3f} to {max(us):.3f})"


def disk_table(disk: OnDisk) -> Iterator[str]:
    """Lines for people."""
    yield f"{'on disk':16}{'bytes a value, median':>24}{'lowest':>10}{'highest':>10}{'ours / theirs':>16}"
    for name, sizes in (("Picket", disk.ours), ("VictoriaMetrics", disk.theirs)):
        share = f"{median(disk.ours) / median(sizes):>16.2f}" if sizes is disk.theirs else ""
        each = f"{median(sizes) / disk.values:>24.3f}" + "".join(
            f"{size / disk.values:>10.3f}" for size in (min(sizes), max(sizes))
        )
        yield f"{name:16}{each}{share}"


def disk_figures(disk: OnDisk) -> dict[str, float]:
    """By their names."""
    ours, theirs = median(disk.ours), median(disk.theirs)
    return {"bytes_per_point": ours / disk.values, "vs_victoriametrics_bytes": ours / theirs}


def _metrics(collected: Collected) -> Iterator[Column]:
    for columns in collected.series.values():
        yield from columns.metrics.values()


def _cpu_us(step: Callable[[], object]) -> float:
    before = time.process_time()
    step()
    return (time.process_time() - before) * 1e6
