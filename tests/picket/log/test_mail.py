"""Errors by mail: one for a storm, one an interval, by a real SMTP server, and no harm when there is none."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import Logger, LogPublisher, globalLogPublisher

from picket import correlation
from picket.log.mail import MailErrors
from picket.log.record import Record, record_of
from picket.log.redact import Redactor
from picket.log.smtp import thd_send
from picket.settings import Mail
from tests.picket.log.logs import Logged
from tests.picket.log.sinks import SmtpSink, certificate, serving
from tests.product import eventually


class Mailing:
    """Errors that are mailed by `send`, and a log beside."""

    def __init__(
        self, send: Callable[[str, str], None], interval_s: float = 60, gather_s: float = 0.1
    ) -> None:
        self.errors = MailErrors(send, self.record, "host (tests)", interval_s=interval_s, gather_s=gather_s)
        self.log = Logger(namespace="tests", observer=LogPublisher(self.errors))

    def record(self, event: Any) -> Record:
        return record_of(event, correlation.current(), Redactor())


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    with serving(SmtpSink()) as found:
        yield found


def to(sink: SmtpSink, **more: Any) -> Callable[[str, str], None]:
    server = Mail.model_validate({"host": "127.0.0.1", "port": sink.port, "sender": "picket@here", **more})
    return partial(thd_send, server, ["ops@example.org", "boss@example.org"])


def test_a_storm_is_one_mail_with_a_count_of_each_error(sink: SmtpSink) -> None:
    mailing = Mailing(to(sink), gather_s=0.5)
    with correlation.scope("storm-001"):
        for number in range(9_999):
            mailing.log.error("disk {number} is full", number=number)
        try:
            raise ZeroDivisionError("by nothing")
        except ZeroDivisionError:
            mailing.log.failure("broken\r\nBcc: victim@example.org")
    mailing.log.warn("not an error")
    eventually(lambda: sink.mails)
    mailing.errors.stop()
    (mail,) = sink.mails
    assert mail["Subject"] == "Picket: 10000 errors on host (tests)"
    assert (mail["From"], mail["To"]) == ("picket@here", "ops@example.org, boss@example.org")
    text = mail.get_content()
    assert "9999 x " in text
    assert "disk 0 is full [id=storm-001]" in text
    assert "1 x " in text
    assert "ZeroDivisionError: by nothing" in text
    assert "not an error" not in text
    assert mail["Bcc"] is None
    assert len(text) < 3000


def test_after_a_mail_the_next_one_waits_for_its_interval(sink: SmtpSink) -> None:
    mailing = Mailing(to(sink), interval_s=1.0, gather_s=0.01)
    mailing.log.error("first")
    eventually(lambda: sink.mails)
    began = time.monotonic()
    for _ in range(5):
        mailing.log.error("more")
    eventually(lambda: len(sink.mails) == 2)
    assert time.monotonic() - began > 0.7
    assert "5 errors" in sink.mails[1]["Subject"]


def test_errors_beyond_fifty_kinds_are_only_counted(sink: SmtpSink) -> None:
    mailing = Mailing(to(sink))
    for number in range(200):
        mailing.log.error(f"kind {number}")
    eventually(lambda: sink.mails)
    assert "and 150 of other kinds" in sink.mails[0].get_content()


def test_what_could_not_be_sent_is_told_once_and_comes_with_the_next(sink: SmtpSink) -> None:
    working = threading.Event()

    def send(subject: str, text: str) -> None:
        if not working.is_set():
            raise ConnectionRefusedError("no server")
        to(sink)(subject, text)

    mailing = Mailing(send, interval_s=1.0, gather_s=0.01)
    own = Logged()
    globalLogPublisher.addObserver(own.output)
    try:
        mailing.log.error("one")
        eventually(lambda: own.text)
        mailing.log.error("one")
        mailing.log.error("two")
        working.set()
        eventually(lambda: sink.mails)
    finally:
        globalLogPublisher.removeObserver(own.output)
    assert [line["message"] for line in own.lines] == [
        "errors could not be mailed: ConnectionRefusedError('no server')"
    ]
    assert own.lines[0]["level"] == "warn"
    text = sink.mails[0].get_content()
    assert "3 errors" in sink.mails[0]["Subject"]
    assert "2 x " in text
    assert "1 x " in text


def test_a_server_that_hangs_holds_up_nobody() -> None:
    sending, hangs = threading.Event(), threading.Event()

    def send(subject: str, text: str) -> None:
        sending.set()
        hangs.wait(20)

    mailing = Mailing(send, gather_s=0.0)
    mailing.log.error("first")
    assert sending.wait(10)
    began = time.monotonic()
    for _ in range(1000):
        mailing.log.error("more")
    mailing.errors.stop(within_s=0.1)
    assert time.monotonic() - began < 2
    hangs.set()


def test_an_error_shortly_before_the_end_is_mailed(sink: SmtpSink) -> None:
    mailing = Mailing(to(sink), gather_s=30)
    mailing.log.error("last words")
    mailing.errors.stop()
    assert "last words" in sink.mails[0].get_content()


def test_by_starttls_and_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(files.ca))
    with serving(SmtpSink(files)) as sink:
        to(sink, tls="starttls", user="me", password="sesame")("a subject", "a text")
    assert sink.mails[0].get_content().strip() == "a text"
    verbs = [command.split()[0].upper() for command in sink.commands]
    assert verbs.index("STARTTLS") < verbs.index("AUTH") < verbs.index("MAIL")


def test_a_certificate_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    with serving(SmtpSink(certificate(tmp_path))) as sink, pytest.raises(OSError, match="CERTIFICATE"):
        to(sink, tls="starttls", user="me", password="sesame")("a subject", "a text")
    assert not any(command.startswith("AUTH") for command in sink.commands)
