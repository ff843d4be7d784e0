"""How many tasks ran or waited to run, over 1, 5 and 15 minutes."""

import os

from agent.checks.result import Request, Result
from agent.checks.samples import Samples


def check(request: Request, samples: Samples) -> list[Result]:  # noqa: ARG001 - one signature for all
    """The three averages."""
    one, five, fifteen = (round(load, 2) for load in os.getloadavg())
    metrics: dict[str, int | float | str] = {
        "loadaverage_1m": one,
        "loadaverage_5m": five,
        "loadaverage_15m": fifteen,
    }
    return [Result(request.check, "", "ok", f"load average: {one:.2f}, {five:.2f}, {fifteen:.2f}", metrics)]
