"""Reads and writes of block devices, per second."""

from pathlib import Path

import psutil

from agent.checks.result import Request, Result
from agent.checks.samples import Samples

DEVICES = Path("/sys/block")


def check(request: Request, samples: Samples) -> list[Result]:
    """`DEV_reads` and `DEV_writes` of each device that was ever read; partitions count as their device."""
    found = psutil.disk_io_counters(perdisk=True) or {}
    devices = {name: counts for name, counts in found.items() if counts.read_count and _is_whole(name)}
    counters: dict[str, float] = {}
    for name, counts in devices.items():
        counters |= {f"{name}_reads": counts.read_count, f"{name}_writes": counts.write_count}
    rates = samples.rates(request.check, "", counters)
    return [Result(request.check, "", "ok", f"{len(devices)} block devices found", {**rates}, [*rates])]


def _is_whole(name: str) -> bool:
    return not DEVICES.is_dir() or (DEVICES / name.replace("/", "!")).exists()
