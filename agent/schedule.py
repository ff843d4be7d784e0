"""Which checks run when: those due at the same moment share a frame."""

import asyncio
import json
import logging
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from agent.checks import Check, UnknownCheck, create
from agent.checks.base import Result

BASELINE_S = 0.5
"""Between the first sample of counters and the first frame."""

LONGEST_S = 10.0
log = logging.getLogger("agent.schedule")


@dataclass(slots=True, eq=False)
class Planned:
    """An assigned check; `running` while its thread is at work, also past the time that it was given."""

    name: str
    key: str
    interval_s: float
    check: Check | None
    problem: str = ""
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
        name, key = assignment["check"], assignment.get("key", "")
        interval_s = self._interval_s or max(1, assignment["interval_s"])
        try:
            return Planned(name, key, interval_s, create(name, key, assignment.get("params")))
        except UnknownCheck as error:
            return Planned(name, key, interval_s, None, str(error))

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
        return [result.as_json(one.name) for result in await self._results(one)]

    async def _results(self, one: Planned) -> list[Result]:
        if one.check is None:
            return [Result(one.key, one.problem, state="err")]
        if one.running is not None:
            if not one.running.done():
                return [Result(one.key, "the check before has not ended yet", state="err")]
            one.running = None
        loop = asyncio.get_running_loop()
        running = one.running = loop.run_in_executor(self._threads, one.check.sample)
        done, _ = await asyncio.wait({running}, timeout=LONGEST_S)
        if not done:
            return [Result(one.key, f"took longer than {LONGEST_S:g} s", state="err")]
        one.running = None
        try:
            return running.result()
        except Exception as error:
            log.exception("check %s %s", one.name, one.key)
            return [Result(one.key, f"{type(error).__name__}: {error}", state="err")]

    @staticmethod
    def _frame(time_ms: int, results: list[dict[str, Any]]) -> bytes:
        body = {"time": time_ms, "results": results}
        return json.dumps(body, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
            "utf-8", "replace"
        )
