"""Checks run when they are due, and one that fails or hangs leaves the others alone."""

import asyncio
import json
import threading
import zlib
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from agent import schedule
from agent.checks import CHECKS, Request, Result, Samples
from agent.schedule import Schedule


def fine(request: Request, _samples: Samples) -> list[Result]:
    return [Result(request.check, request.key, metrics={"one": 1, "bad": float("nan")}, rates=["one", "bad"])]


def broken(_request: Request, _samples: Samples) -> list[Result]:
    raise ZeroDivisionError("by zero")


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "BASELINE_S", 0.0)
    for name, check in (("fine", fine), ("broken", broken)):
        monkeypatch.setitem(CHECKS, name, check)


def assignment(*names: str, interval_s: float = 3600) -> list[dict[str, Any]]:
    return [{"check": name, "key": "", "params": {}, "interval_s": interval_s} for name in names]


def frames(count: int, *steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first `count` frames of a schedule that is given each step's assignment after a frame."""
    found: list[dict[str, Any]] = []

    async def play() -> None:
        arrived = asyncio.Event()

        def emit(_encoding: str, payload: bytes) -> None:
            found.append(json.loads(zlib.decompress(payload)))
            arrived.set()

        plan = Schedule(lambda: 1000, emit)
        running = asyncio.create_task(plan.run())
        for number in range(count):
            if number < len(steps):
                plan.assign(steps[number])
            await asyncio.wait_for(arrived.wait(), 5)
            arrived.clear()
        running.cancel()

    played(play)
    return found


def played(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(play())


def names(frame: dict[str, Any]) -> list[tuple[str, str]]:
    return [(result["check"], result["state"]) for result in frame["results"]]


def test_checks_that_are_due_together_share_a_frame_whatever_fails() -> None:
    (frame,) = frames(1, assignment("fine", "broken", "unknown"))
    assert frame["time"] == 1000
    assert names(frame) == [("fine", "ok"), ("broken", "err"), ("unknown", "err")]
    assert frame["results"][1]["status"] == "ZeroDivisionError: by zero"


def test_what_is_no_number_is_left_out() -> None:
    (frame,) = frames(1, assignment("fine"))
    assert (frame["results"][0]["metrics"], frame["results"][0]["rates"]) == ({"one": 1}, ["one"])


def test_a_new_check_runs_at_once_and_a_known_one_when_it_is_due() -> None:
    _, second = frames(2, assignment("fine"), assignment("fine", "broken"))
    assert names(second) == [("broken", "err")]


def test_a_check_runs_again_after_its_interval() -> None:
    assert len(frames(2, assignment("fine", interval_s=1))) == 2


def test_a_check_that_hangs_is_an_error_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hangs(_request: Request, _samples: Samples) -> list[Result]:
        release.wait(20)
        return []

    monkeypatch.setitem(CHECKS, "hangs", hangs)
    monkeypatch.setattr(schedule, "LONGEST_S", 0.05)
    try:
        (frame,) = frames(1, assignment("hangs", "fine"))
        assert names(frame) == [("hangs", "err"), ("fine", "ok")]
    finally:
        release.set()
