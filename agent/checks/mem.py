"""Memory and swap space, in bytes."""

import psutil

from agent.checks.result import Request, Result, human
from agent.checks.samples import Samples


def check(request: Request, samples: Samples) -> list[Result]:  # noqa: ARG001 - one signature for all
    """Used memory is what is neither free nor the system's to give back: total - free - buffers - cached."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    reclaimable = getattr(memory, "buffers", 0) + getattr(memory, "cached", 0)
    used = max(0, memory.total - memory.free - reclaimable)
    metrics: dict[str, int | float | str] = {
        "mem_total": memory.total,
        "mem_used": used,
        "mem_free": memory.free,
        "swap_total": swap.total,
        "swap_used": swap.used,
        "mem_percent_used": round(100 * used / memory.total, 2),
    }
    return [
        Result(request.check, "", "ok", f"memory used:{human(used)} swap used:{human(swap.used)}", metrics)
    ]
