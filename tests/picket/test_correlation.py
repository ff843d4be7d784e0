"""Scopes: how long they last, who is in them, and which ids of strangers are taken."""

import contextvars
import gc

import pytest

from picket import correlation


class Outcome(Exception):
    expected = True


def lines() -> tuple[list[str], correlation.Write]:
    written: list[str] = []
    return written, lambda event, correlation_id: written.append(f"{correlation_id}:{event}")


def test_outside_of_a_scope_there_is_no_id() -> None:
    assert correlation.current() == ""
    assert correlation.here() is None
    correlation.fail()
    correlation.adopt("c-1")
    assert correlation.current() == ""


def test_a_scope_has_the_id_given_or_one_of_its_own() -> None:
    with correlation.scope("c-1"):
        assert correlation.current() == "c-1"
        with correlation.scope():
            own = correlation.current()
            assert (len(own), correlation.current()) == (32, own)
        assert correlation.current() == "c-1"
    assert correlation.current() == ""


def test_a_scope_goes_by_the_id_that_its_message_brought() -> None:
    with correlation.scope():
        correlation.adopt("c-2")
        assert correlation.current() == "c-2"
        correlation.adopt("")
        assert correlation.current() == "c-2"


def test_a_scope_of_the_same_id_is_the_same_scope_until_the_last_has_left() -> None:
    with correlation.scope("c-1") as outer:
        background = contextvars.copy_context()
        inner = correlation.scope("c-1")
        assert background.run(inner.__enter__) is outer
    assert background.run(correlation.current) == "c-1"
    background.run(inner.__exit__, None, None, None)
    assert background.run(correlation.current) == ""


def test_what_keeps_the_context_of_a_scope_that_is_over_is_in_none() -> None:
    with correlation.scope("c-1"):
        timer = contextvars.copy_context()
    assert timer.run(correlation.current) == ""


def test_kept_lines_are_written_when_an_exception_leaves_and_only_then() -> None:
    written, write = lines()
    for error, expected in ((None, []), (Outcome(), []), (ValueError(), ["c-1:1", "c-1:2"])):
        try:
            with correlation.scope("c-1") as work:
                work.keep(write, 1, 200)
                work.keep(write, 2, 200)
                if error:
                    raise error
        except (ValueError, Outcome):
            pass
        assert written == expected


def test_only_the_newest_lines_are_kept() -> None:
    written, write = lines()
    with correlation.scope("c") as work:
        for number in range(1000):
            work.keep(write, number, 3)
        correlation.fail()
    assert written == ["c:997", "c:998", "c:999"]


def test_lines_kept_before_an_id_came_go_by_it() -> None:
    written, write = lines()
    with correlation.scope() as work:
        work.keep(write, 1, 3)
        correlation.adopt("c-9")
        correlation.fail()
    assert written == ["c-9:1"]


def test_a_coroutine_that_nobody_finishes_does_no_harm() -> None:
    async def endless() -> None:
        with correlation.scope("c-1"):
            await Forever()

    running = endless()
    contextvars.copy_context().run(running.send, None)
    running.close()
    gc.collect()
    assert correlation.current() == ""


class Forever:
    def __await__(self):  # type: ignore[no-untyped-def]
        yield


@pytest.mark.parametrize(
    ("request_id", "traceparent", "taken"),
    [
        ("abcd1234-ef", "", "abcd1234-ef"),
        ("", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "0af7651916cd43dd8448eb211c80319c"),
        ("abcd1234", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "abcd1234"),
        ("", "00-00000000000000000000000000000000-b7ad6b7169203331-01", ""),
        ("", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""),
        ("short", "nonsense", ""),
        ("a" * 65, "", ""),
        ("abcd1234\nforged", "", ""),
        ("abcd1234\n", "", ""),
        ("-abcd1234", "", ""),
        ("abcd 1234", "", ""),
        ("äbcd12345", "", ""),
    ],
)
def test_an_id_of_a_request_is_taken_if_it_is_plausible(
    request_id: str, traceparent: str, taken: str
) -> None:
    assert correlation.from_headers(request_id, traceparent) == taken
