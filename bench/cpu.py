"""What a server costs: CPU-seconds of its process and of all its children, living and ended."""

import time
from collections.abc import Callable
from typing import NamedTuple

import psutil


class Cost(NamedTuple):
    """What one load took: CPU of the server alone, and time on the wall, both in seconds."""

    cpu_s: float
    wall_s: float


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children since they began."""
    leader = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:4]) for process in [leader, *leader.children(recursive=True)])


def cost(pid: int, load: Callable[[], None]) -> Cost:
    """What server `pid` spends while `load` runs, which returns when its data is durable and queryable."""
    cpu_before, wall_before = cpu_seconds(pid), time.perf_counter()
    load()
    return Cost(cpu_seconds(pid) - cpu_before, time.perf_counter() - wall_before)
