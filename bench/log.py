"""What a log line costs that nobody will read: a scope, and debug lines in it that are kept and dropped."""

import io
import time
from collections.abc import Callable

from twisted.logger import Logger, LogPublisher

from picket import correlation
from picket.log.output import Output
from picket.log.redact import Redactor

ROUNDS = 5


def run(times: int) -> tuple[list[str], dict[str, float]]:
    """The lines of the table, and the figures, in microseconds: the best of some rounds."""
    bare = Logger(namespace="bench", observer=LogPublisher())
    output = Output(io.StringIO(), "json", "warn", Redactor(), kept_lines=200)
    ours = Logger(namespace="bench", observer=LogPublisher(output))

    def failing() -> None:
        with correlation.scope("bench-bench"):
            for number in range(200):
                ours.debug("line {number}", number=number)
            correlation.fail()

    with correlation.scope():
        kept_us = _best_us(lambda: ours.debug("line {number}", number=1), times)
    figures = {
        "twisted_debug_line_us": _best_us(lambda: bare.debug("line {number}", number=1), times),
        "dropped_debug_line_us": _best_us(lambda: ours.debug("line {number}", number=1), times),
        "kept_debug_line_us": kept_us,
        "written_debug_line_us": _best_us(failing, max(1, times // 2000)) / 200,
        "scope_us": _best_us(_scope, times),
    }
    return [f"{name:24} {us:8.2f}" for name, us in figures.items()], figures


def _scope() -> None:
    with correlation.scope("bench-bench"):
        pass


def _best_us(call: Callable[[], object], times: int) -> float:
    return min(_round_s(call, times) for _ in range(ROUNDS)) / times * 1e6


def _round_s(call: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        call()
    return time.perf_counter() - began
