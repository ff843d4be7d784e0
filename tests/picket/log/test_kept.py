"""Fingers crossed: lesser lines come out when their scope fails, and else never."""

import threading
from contextlib import suppress

import pytest
from twisted.internet.defer import Deferred

from picket import correlation
from tests.picket.log.logs import Logged


@pytest.fixture
def logged() -> Logged:
    return Logged(level="warn", kept_lines=200)


def messages(logged: Logged) -> list[str]:
    return [line["message"] for line in logged.lines]


def test_of_what_goes_well_only_its_level_is_written(logged: Logged) -> None:
    with correlation.scope():
        logged.log.debug("a detail")
        logged.log.info("a step")
        logged.log.warn("a warning")
    logged.log.debug("a detail outside")
    assert messages(logged) == ["a warning"]


def test_an_error_brings_what_came_before_in_order_and_all_that_comes_after(logged: Logged) -> None:
    with correlation.scope("c-1"):
        logged.log.debug("first")
        logged.log.info("second")
        logged.log.error("broken")
        logged.log.debug("after")
    assert messages(logged) == ["first", "second", "broken", "after"]
    assert {line["correlation_id"] for line in logged.lines} == {"c-1"}
    assert sorted(line["time"] for line in logged.lines) == [line["time"] for line in logged.lines]


def test_an_exception_that_leaves_brings_them_too(logged: Logged) -> None:
    with suppress(ZeroDivisionError), correlation.scope():
        logged.log.debug("a detail")
        raise ZeroDivisionError
    assert messages(logged) == ["a detail"]


def test_scopes_at_the_same_time_do_not_mix(logged: Logged) -> None:
    gates: dict[str, Deferred[None]] = {"a": Deferred(), "b": Deferred()}

    async def work(name: str, fails: bool) -> None:
        with correlation.scope(name * 8):
            logged.log.debug("{name} begins", name=name)
            await gates[name]
            logged.log.debug("{name} goes on", name=name)
            if fails:
                logged.log.error("{name} fails", name=name)

    running = [Deferred.fromCoroutine(work("a", fails=False)), Deferred.fromCoroutine(work("b", fails=True))]
    gates["b"].callback(None)
    gates["a"].callback(None)
    assert all(one.called for one in running)
    assert messages(logged) == ["b begins", "b goes on", "b fails"]
    assert {line["correlation_id"] for line in logged.lines} == {"b" * 8}


def test_threads_do_not_mix(logged: Logged) -> None:
    begun = threading.Barrier(8)

    def work(number: int) -> None:
        with correlation.scope(f"thread-{number}"):
            begun.wait(10)
            for step in range(50):
                logged.log.debug("{step} of {number}", step=step, number=number)
            if number % 2:
                logged.log.error("{number} fails", number=number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_thread = {f"thread-{number}": number for number in range(8)}
    assert len(logged.lines) == 4 * 51
    assert all(line["fields"]["number"] == by_thread[line["correlation_id"]] for line in logged.lines)
    assert {line["fields"]["number"] for line in logged.lines} == {1, 3, 5, 7}


def test_where_nothing_is_kept_an_error_stands_alone() -> None:
    logged = Logged(level="warn", kept_lines=0)
    with correlation.scope():
        logged.log.debug("first")
        logged.log.error("broken")
        logged.log.debug("after")
    assert messages(logged) == ["broken"]
