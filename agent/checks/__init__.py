"""What the agent can measure: a function for each check's name."""

from collections.abc import Callable

from agent.checks import cpu, disk, io, loadaverage, mem, net, processes
from agent.checks.result import CheckFailed, Request, Result
from agent.checks.samples import Samples

__all__ = ["CHECKS", "Check", "CheckFailed", "Request", "Result", "Samples"]

Check = Callable[[Request, Samples], list[Result]]
"""Measures, blocking; raises what it likes, which becomes an `err` result."""

CHECKS: dict[str, Check] = {
    "cpu": cpu.check,
    "disk": disk.check,
    "io": io.check,
    "loadaverage": loadaverage.check,
    "mem": mem.check,
    "net": net.check,
    "processes": processes.check,
}
