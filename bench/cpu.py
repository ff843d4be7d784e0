"""What a server costs: CPU-seconds of its processes and of all their children, living and ended."""

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import psutil


class Cost(NamedTuple):
    """What one load took: CPU of the server alone, and time on the wall, both in seconds."""

    cpu_s: float
    wall_s: float


def cpu_seconds(*pids: int) -> float:
    """User and system time of these processes and of their children since they began."""
    leaders = [psutil.Process(pid) for pid in pids]
    while True:
        try:
            return sum(map(_of_family, leaders))
        except psutil.NoSuchProcess as ended:
            if ended.pid in pids:
                raise


def _of_family(leader: psutil.Process) -> float:
    """Raises NoSuchProcess when a child ends meanwhile: its time is its parent's then."""
    return sum(sum(process.cpu_times()[:4]) for process in (leader, *leader.children(recursive=True)))


def cost(pids: Sequence[int], load: Callable[[], None]) -> Cost:
    """What a server of these processes spends while `load` runs, which returns when its data is durable
    and queryable."""
    cpu_before, wall_before = cpu_seconds(*pids), time.perf_counter()
    load()
    return Cost(cpu_seconds(*pids) - cpu_before, time.perf_counter() - wall_before)
