"""How the processors spend their time, since the sample before."""

import time

import psutil

from agent.checks.result import Request, Result
from agent.checks.samples import Samples

FIRST_SAMPLE_S = 0.5
PARTS = {
    "cpu_user": ("user", "nice"),
    "cpu_sys": ("system",),
    "cpu_idle": ("idle",),
    "cpu_iowait": ("iowait",),
    "cpu_irq": ("irq", "softirq"),
    "cpu_steal": ("steal",),
}
STATUS = (
    "user:{cpu_user:.2f}% system:{cpu_sys:.2f}% idle:{cpu_idle:.2f}% "
    "iowait:{cpu_iowait:.2f}% steal:{cpu_steal:.2f}%"
)


def check(request: Request, samples: Samples) -> list[Result]:
    """Percentages that add up to 100, and interrupts per second; the first time it takes half a second."""
    times = _times()
    previous, _ = samples.exchange(request.check, "", times)
    if previous is None:
        samples.rates(request.check, "intr", _interrupts())
        time.sleep(FIRST_SAMPLE_S)
        before, times = times, _times()
        samples.exchange(request.check, "", times)
    else:
        before = dict(previous.counters)
    shares = _percentages(before, times)
    rates = samples.rates(request.check, "intr", _interrupts())
    return [Result(request.check, "", "ok", STATUS.format(**shares), {**shares, **rates}, [*rates])]


def _times() -> dict[str, float]:
    times = psutil.cpu_times()
    return {metric: sum(getattr(times, part, 0.0) for part in parts) for metric, parts in PARTS.items()}


def _interrupts() -> dict[str, float]:
    return {"intr": psutil.cpu_stats().interrupts}


def _percentages(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    spent = {name: max(0.0, after[name] - before[name]) for name in after}
    total = sum(spent.values()) or 1.0
    return {name: round(100 * seconds / total, 2) for name, seconds in spent.items()}
