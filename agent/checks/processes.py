"""How many processes there are, run and wait for input or output."""

from pathlib import Path

import psutil

from agent.checks.result import Request, Result
from agent.checks.samples import Samples

STAT = Path("/proc/stat")


def check(request: Request, samples: Samples) -> list[Result]:  # noqa: ARG001 - one signature for all
    """`processes_total`; `processes_running` and `processes_blocked` where the system counts them."""
    total = len(psutil.pids())
    counts = {"processes_total": total, **_states()}
    status = ", ".join(f"{count} {name.removeprefix('processes_')}" for name, count in counts.items())
    return [Result(request.check, "", "ok", status, {**counts})]


def _states() -> dict[str, int]:
    # The kernel's own counts cost one read; looking at each process would cost thousands.
    try:
        lines = dict(
            line.split(" ", 1) for line in STAT.read_text().splitlines() if line.startswith("procs_")
        )
    except OSError:
        return {}
    return {name.replace("procs", "processes"): int(count) for name, count in lines.items()}
