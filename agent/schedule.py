"""Which checks run when: those due at the same moment share a frame."""

import asyncio
import json
import logging
import math
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from agent.checks import CHECKS, CheckFailed, Request, Result, Samples

BASELINE_S = 0.3
"""Between the first sample of counters and the first frame."""

LONGEST_S = 10.0
log = logging.getLogger("agent.schedule")


@dataclass(slots=True, eq=False)
class Planned:
    """An assigned check; `running` while its thread is at work, also past the time that it was given."""

    request: Request
    interval_s: float
    samples: Samples
    due: float = 0.0
    running: "asyncio.Future[list[Result]] | None" = None


class Schedule:
    """Runs the assigned checks in threads and hands on frames (JSON, packed) by `emit(encoding, payload)`."""

    def __init__(
        self, now_ms: Callable[[], int], emit: Callable[[str, bytes], None], interval_s: float | None = None
    ) -> None:
        self._now_ms = now_ms
        self._emit = emit
        self._interval_s = interval_s
        self._assigned: list[dict[str, Any]] = []
        self._planned: list[Planned] = []
        self._fresh: list[Planned] = []
        self._changed = asyncio.Event()
        self._threads = ThreadPoolExecutor(8, "check")

    @property
    def stuck(self) -> bool:
        """Whether a check's thread is still at work."""
        return any(one.running is not None and not one.running.done() for one in self._planned)

    def assign(self, assignments: list[dict[str, Any]]) -> None:
        """Take the whole assignment; checks that were there before go on undisturbed."""
        if assignments == self._assigned:
            return
        before = {json.dumps(was): one for was, one in zip(self._assigned, self._planned, strict=True)}
        self._assigned = assignments
        self._planned = [before.get(json.dumps(each)) or self._plan(each) for each in assignments]
        self._fresh = [one for one in self._planned if one not in before.values()]
        self._changed.set()

    async def run(self) -> None:
        """Run checks until cancelled."""
        try:
            while True:
                if self._fresh:
                    await self._begin()
                await self._wait()
                if not self._fresh:
                    await self._run_due()
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def run_now(self, name: str, key: str, params: dict[str, Any]) -> bytes:
        """One check, now and out of turn: a frame's JSON."""
        one = self._plan({"check": name, "key": key, "params": params, "interval_s": LONGEST_S})
        await self._sample(one)
        await asyncio.sleep(BASELINE_S)
        return self._frame(self._now_ms(), await self._sample(one))

    def _plan(self, assignment: dict[str, Any]) -> Planned:
        interval_s = self._interval_s or max(1, assignment["interval_s"])
        request = Request(assignment["check"], assignment.get("key", ""), assignment.get("params") or {})
        return Planned(request, interval_s, Samples())

    async def _begin(self) -> None:
        """Take the counters' first samples; the first frame follows at once."""
        fresh, self._fresh = self._fresh, []
        await asyncio.gather(*(self._sample(one) for one in fresh))
        first = asyncio.get_running_loop().time() + BASELINE_S
        for one in fresh:
            one.due = first

    async def _wait(self) -> None:
        due = min((one.due for one in self._planned), default=float("inf"))
        left_s = min(due - asyncio.get_running_loop().time(), 3600)
        try:
            await asyncio.wait_for(self._changed.wait(), max(0, left_s))
            self._changed.clear()
        except TimeoutError:
            return

    async def _run_due(self) -> None:
        now = asyncio.get_running_loop().time()
        due = [one for one in self._planned if one.due <= now]
        if not due:
            return
        for one in due:
            one.due += one.interval_s * (1 + (now - one.due) // one.interval_s)
        time_ms = self._now_ms()
        found = await asyncio.gather(*(self._sample(one) for one in due))
        results = [result for results in found for result in results]
        if results:
            self._emit("zlib", zlib.compress(self._frame(time_ms, results), 6))

    async def _sample(self, one: Planned) -> list[dict[str, Any]]:
        return [_finite(result.as_json()) for result in await self._results(one)]

    async def _results(self, one: Planned) -> list[Result]:
        name = one.request.check
        if one.running is not None and not one.running.done():
            return [_error(one, "the check before has not ended yet")]
        if name not in CHECKS:
            return [_error(one, f"this agent has no check {name!r}")]
        loop = asyncio.get_running_loop()
        running = one.running = loop.run_in_executor(self._threads, CHECKS[name], one.request, one.samples)
        done, _ = await asyncio.wait({running}, timeout=LONGEST_S)
        if not done:
            return [_error(one, f"took longer than {LONGEST_S:g} s")]
        try:
            return running.result()
        except CheckFailed as error:
            return [_error(one, str(error))]
        except Exception as error:  # noqa: BLE001 - a check that fails is a result
            log.warning("check %s %s: %r", name, one.request.key, error)
            return [_error(one, f"{type(error).__name__}: {error}")]

    @staticmethod
    def _frame(time_ms: int, results: list[dict[str, Any]]) -> bytes:
        body = {"time": time_ms, "results": results}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "replace"
        )


def _error(one: Planned, text: str) -> Result:
    return Result(one.request.check, one.request.key, "err", text)


def _finite(result: dict[str, Any]) -> dict[str, Any]:
    """Without values that JSON has no form for."""
    metrics = {
        name: value
        for name, value in result["metrics"].items()
        if not isinstance(value, float) or math.isfinite(value)
    }
    return result | {"metrics": metrics, "rates": [name for name in result["rates"] if name in metrics]}
