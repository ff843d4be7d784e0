"""Errors as Sentry gets them: with their id, without secrets; nothing of it is loaded without a DSN."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from twisted.logger import Logger, LogPublisher

from picket import correlation
from picket.log.record import record_of
from picket.log.redact import Redactor
from picket.log.sentry import A_MINUTE, ErrorsToSentry
from tests.picket.log.sinks import SentrySink, serving
from tests.product import environment

SECRET = "sesame-open-2931"


@pytest.fixture
def sink() -> Iterator[SentrySink]:
    with serving(SentrySink()) as found:
        yield found


class Sending:
    def __init__(self, sink: SentrySink) -> None:
        redact = Redactor([SECRET])
        self.errors = ErrorsToSentry(
            sink.dsn, lambda event: record_of(event, correlation.current(), redact), redact
        )
        self.log = Logger(namespace="tests", observer=LogPublisher(self.errors))


def test_an_error_arrives_with_its_id_and_fields(sink: SentrySink) -> None:
    sending = Sending(sink)
    with correlation.scope("sentry-01"):
        sending.log.warn("a warning")
        sending.log.error("disk {name} is full", name="sda", node="n1", account="a1")
    sending.errors.stop()
    (event,) = sink.events
    assert (event["message"], event["level"]) == ("disk sda is full", "error")
    assert event["tags"] == {
        "correlation_id": "sentry-01",
        "logger": "tests",
        "node": "n1",
        "account": "a1",
    }
    assert event["extra"]["name"] == "sda"
    assert "user" not in event


def test_an_exception_arrives_with_its_traceback_and_without_secrets(sink: SentrySink) -> None:
    sending = Sending(sink)
    local_variable = SECRET
    try:
        raise ConnectionError(f"amqp://picket:hidden@mq/ and {local_variable}")
    except ConnectionError:
        sending.log.failure("broken", password=SECRET, url="https://h/?token=hidden-too")
    sending.errors.stop()
    (event,) = sink.events
    raised = event["exception"]["values"][0]
    assert (raised["type"], event["level"]) == ("ConnectionError", "fatal")
    assert raised["stacktrace"]["frames"][-1]["function"].startswith("test_an_exception_arrives")
    for hidden in (SECRET, "picket:hidden", "hidden-too"):
        assert hidden not in sink.bodies[0]


def test_a_storm_is_cut_off(sink: SentrySink) -> None:
    sending = Sending(sink)
    for number in range(1000):
        sending.log.error("error {number}", number=number)
    sending.errors.stop()
    assert 0 < len(sink.events) <= A_MINUTE


def test_without_a_dsn_the_library_is_not_loaded() -> None:
    program = """
import sys
from picket.log.begin import begin
from picket.settings import Settings
end = begin(Settings.model_validate({"log": {"sentry_dsn": sys.argv[1]}}))
print("sentry_sdk" in sys.modules)
end()
"""
    for dsn, loaded in (("", "False\n"), ("http://key@127.0.0.1:1/7", "True\n")):
        command = [sys.executable, "-c", program, dsn]
        told = subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=True, timeout=60
        )
        assert told.stdout == loaded
