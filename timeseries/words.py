"""What rows of our agent's checks have in common, hour after hour and node after node: a dictionary for zstd.

Names of metrics and words of statuses stand in every block, and one bundle is too short to make up for them.
Rows of other checks are packed as well as without. The dictionary never changes, for what was packed with it
cannot be read without it; a better one would be another, beside it.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec


class Metrics(NamedTuple):
    """Names of metrics of one kind, and of so many decimal places, that stand side by side."""

    names: str
    kind: int
    places: int | None = None


class Status(NamedTuple):
    """A template, the decimal places of its numbers, and the metrics that these show."""

    text: str
    places: tuple[int, ...]
    shown: str = ""


MEMORY, SWAP = "memory used:%d.%02d ", "B swap used:%d.%02d  B"
TRAFFIC, PACKETS = "interface eth%d in/out:%d.%02d ", "B/%d.%02d MB, in/out packets:%d/%d"
SHAPES: tuple[Metrics | Status, ...] = (
    Status(
        "user:%d.%02d%% system:%d.%02d%% idle:%d.%02d%% iowait:%d.%02d%% steal:%d.%02d%%",
        (2, 2, 2, 2, 2),
        "cpu_user cpu_sys cpu_idle cpu_iowait cpu_steal",
    ),
    Metrics("cpu_idle cpu_iowait cpu_irq cpu_steal cpu_sys cpu_user", 2, 2),
    Metrics("intr", 10, 3),
    Status(
        "capacity: %d.%02d%% total: %d.%02d GB, used: %d.%02d GB, free: %d.%02d GB", (2, 2, 2, 2), "capacity"
    ),
    Metrics("bavail bfree blocks bsize", 1),
    Metrics("capacity", 2, 2),
    Status("%d block devices found", (0,)),
    Metrics("loop0_reads loop0_writes sda_reads sda_writes vda_reads vda_writes", 10, 3),
    Status(
        "load average: %d.%02d, %d.%02d, %d.%02d", (2, 2, 2), "loadaverage_1m loadaverage_5m loadaverage_15m"
    ),
    Metrics("loadaverage_15m loadaverage_1m loadaverage_5m", 2, 2),
    Status(f"{MEMORY}M{SWAP}", (2, 2), "mem_used"),
    Status(f"{MEMORY}G{SWAP}", (2, 2), "mem_used"),
    Metrics("mem_free", 1),
    Metrics("mem_percent_used", 2, 2),
    Metrics("mem_total mem_used swap_total swap_used", 1),
    Status(f"{TRAFFIC}M{PACKETS}", (0, 2, 2, 0, 0)),
    Status(f"{TRAFFIC}G{PACKETS}", (0, 2, 2, 0, 0)),
    Metrics("in_bytes in_err in_mcast in_packets out_bytes out_err out_packets", 10, 3),
    Status(
        "%d total, %d running, %d blocked", (0, 0, 0), "processes_total processes_running processes_blocked"
    ),
    Metrics("processes_blocked processes_running processes_total", 1),
)
ROWS = 360
"""Of most blocks."""


@cache
def dictionary() -> bytes:
    """The shapes as blocks have them, but for what pcodec packed."""
    return b"".join(msgspec.msgpack.encode(part) for shape in SHAPES for part in _parts(shape))


def _parts(shape: Metrics | Status) -> Iterator[object]:
    if isinstance(shape, Status):
        none, zeros = [None] * len(shape.places), [0] * len(shape.places)
        yield shape.text, shape.places, shape.shown.split(), zeros, none
    else:
        packed = b"\x04\x01", shape.places, 32, 0, 0
        yield from ((name, ROWS, None, shape.kind, packed, None, None) for name in shape.names.split())
