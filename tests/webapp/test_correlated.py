"""A request's id, its line, and what is written when it fails."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.logger import Logger, globalLogPublisher

from picket import correlation
from tests.picket.log.logs import Logged
from webapp.correlated import Correlated
from webapp.wsgi import application

log = Logger(namespace="view")


@pytest.fixture
def logged() -> Iterator[Logged]:
    found = Logged(level="warn", kept_lines=200)
    globalLogPublisher.addObserver(found.output)
    yield found
    globalLogPublisher.removeObserver(found.output)


def ask(app: Callable[..., Any], path: str = "/healthz", **headers: str) -> tuple[str, dict[str, str]]:
    """The status of an answer, and its headers."""
    begun: list[Any] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    environ |= {"wsgi.url_scheme": "http", "QUERY_STRING": "token=sesame"} | headers
    answer = app({"wsgi.input": io.BytesIO(), **environ}, lambda *given: begun.extend(given))
    list(answer)
    answer.close()
    return begun[0], dict(begun[1])


def view(status: str) -> Callable[..., Any]:
    """An application that logs a detail and answers `status`."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        log.debug("a detail")
        start_response(status, [("X-Seen", correlation.current())])
        yield b"well"
        log.debug("a late detail")

    return Correlated(answer)


def test_the_id_that_a_request_brings_is_its_own_and_is_answered() -> None:
    _, headers = ask(view("200 OK"), HTTP_X_REQUEST_ID="request-77")
    assert (headers["X-Seen"], headers["X-Request-ID"]) == ("request-77", "request-77")


def test_a_request_without_one_or_with_nonsense_gets_one() -> None:
    _, plain = ask(view("200 OK"))
    _, odd = ask(view("200 OK"), HTTP_X_REQUEST_ID="x\r\nSet-Cookie: a=b")
    assert len(plain["X-Request-ID"]) == len(odd["X-Request-ID"]) == 32
    assert plain["X-Request-ID"] != odd["X-Request-ID"]


@pytest.mark.django_db
def test_django_answers_it(logged: Logged) -> None:
    status, headers = ask(application, HTTP_X_REQUEST_ID="request-78")
    assert status == "200 OK"
    assert headers["X-Request-ID"] == "request-78"
    assert logged.text == ""


def test_a_request_that_goes_well_writes_nothing_and_leaves_no_scope(logged: Logged) -> None:
    ask(view("404 Not Found"))
    assert logged.text == ""
    assert correlation.here() is None


def test_an_answer_of_500_or_more_writes_all_of_it(logged: Logged) -> None:
    ask(view("503 Service Unavailable"), "/nodes", HTTP_X_REQUEST_ID="request-79")
    said = [line["message"] for line in logged.lines]
    assert said[:2] == ["a detail", "a late detail"]
    assert said[2].startswith("GET /nodes 503 in ")
    assert {line["correlation_id"] for line in logged.lines} == {"request-79"}


def test_an_exception_writes_all_of_it_and_goes_on(logged: Logged) -> None:
    def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        log.debug("a detail")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(Correlated(broken))
    assert logged.lines[0]["message"] == "a detail"


def test_neither_a_query_nor_a_sign_in_link_is_in_its_line(logged: Logged) -> None:
    ask(view("500 Oops"), "/enter/sesame-sesame-sesame")
    assert "GET /enter/*** 500" in logged.text
    assert "sesame" not in logged.text
