"""What a line holds in either form, and that nothing hostile makes a line of its own."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
from twisted.logger import globalLogPublisher

from picket import correlation
from picket.log.standard import QUIETER, ToTwisted
from tests.picket.log.logs import Logged

HOSTILE = "x\r\n2026-01-01T00:00:00.000Z error    forged: all is lost\x85\u2028\u2029\x0b\x0c\x1c\x1b[2J\x00"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_a_json_line_holds_what_was_said() -> None:
    logged = Logged()
    with correlation.scope("c-1"):
        logged.log.warn("{check} took {took_s} s", check="disk", took_s=1.5, account="a1", node="n1", n=None)
    (line,) = logged.lines
    assert re.fullmatch(TIME, line.pop("time"))
    assert line == {
        "level": "warn",
        "logger": "tests",
        "message": "disk took 1.5 s",
        "correlation_id": "c-1",
        "account": "a1",
        "node": "n1",
        "fields": {"check": "disk", "took_s": 1.5, "n": None},
    }


def test_a_line_for_people_holds_what_was_said() -> None:
    logged = Logged("human")
    with correlation.scope("c-1"):
        logged.log.warn("took {took_s} s", took_s=1.5, account_id="a1", node_id="n1")
    assert re.fullmatch(TIME + r" warn     tests: took 1.5 s \[id=c-1 account=a1 node=n1\]\n", logged.text)


def test_a_failure_brings_its_traceback() -> None:
    for form in ("human", "json"):
        logged = Logged(form)
        try:
            raise ZeroDivisionError("by nothing")
        except ZeroDivisionError:
            logged.log.failure("lost")
        assert "by nothing" in logged.text
        assert "test_output.py" in logged.text


@pytest.mark.parametrize("form", ["human", "json"])
def test_hostile_text_makes_no_line_of_its_own(form: str) -> None:
    logged = Logged(form)
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logged.log.failure("agent {name}", name=HOSTILE, node=HOSTILE, path=HOSTILE)
    first, *rest = logged.text.splitlines()
    assert [line for line in rest if not line.startswith("    | ")] == []
    assert first.count("forged") >= 2
    assert "\x1b" not in logged.text
    if form == "json":
        assert json.loads(first)["fields"]["path"] == HOSTILE
        assert rest == []


def test_what_cannot_be_shown_costs_no_line() -> None:
    logged = Logged()
    logged.log.info("{thing} {missing}", thing=Unprintable())
    logged.log.info("{thing}", thing=float("nan"))
    assert len(logged.lines) == 2
    assert logged.lines[0]["fields"]["thing"] == "<Unprintable that cannot be shown>"
    assert logged.lines[1]["fields"]["thing"] == "nan"


def test_below_its_level_nothing_is_written() -> None:
    logged = Logged(level="warn")
    logged.log.info("quiet")
    logged.log.warn("heard")
    assert [line["message"] for line in logged.lines] == ["heard"]


@pytest.fixture
def standard() -> Iterator[Logged]:
    """The standard library's loggers, brought into Twisted's stream."""
    logged = Logged()
    handler = ToTwisted()
    globalLogPublisher.addObserver(logged.output)
    logging.getLogger().addHandler(handler)
    yield logged
    logging.getLogger().removeHandler(handler)
    globalLogPublisher.removeObserver(logged.output)


def test_the_standard_librarys_lines_keep_level_name_and_traceback(standard: Logged) -> None:
    log = logging.getLogger("django.request")
    log.warning("odd: %s", "path")
    try:
        raise KeyError("gone")
    except KeyError:
        log.exception("failed %d times", 3)
    odd, failed = standard.lines
    assert (odd["level"], odd["logger"], odd["message"]) == ("warn", "django.request", "odd: path")
    assert (failed["level"], failed["message"]) == ("error", "failed 3 times")
    assert "KeyError: 'gone'" in failed["traceback"]


def test_arguments_that_do_not_fit_cost_no_line(standard: Logged) -> None:
    record = logging.LogRecord("django", logging.WARNING, "", 1, "%d of %s", ("one",), None)
    ToTwisted().emit(record)
    assert standard.lines[0]["message"] == "%d of %s ('one',)"


def test_complaints_that_our_drivers_tell_of_are_debug_lines(standard: Logged) -> None:
    logging.getLogger("pika.adapters").error("the connection is lost")
    assert standard.lines[0]["level"] == "debug"
    assert QUIETER["pika"] == logging.WARNING
