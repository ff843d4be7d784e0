"""Servers that receive what errors cause: mail by SMTP, and Sentry's envelopes by HTTP."""

import gzip
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from picket.tls import TlsFiles


class SmtpSink(socketserver.ThreadingTCPServer):
    """Takes every mail; offers STARTTLS where it has TLS files, and notes commands and mails."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, files: TlsFiles | None = None, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Conversation)
        self.files = files
        self.mails: list[EmailMessage] = []
        self.commands: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Conversation(socketserver.StreamRequestHandler):
    server: SmtpSink

    def handle(self) -> None:
        self._say("220 sink")
        while line := self.rfile.readline().decode().strip():
            self.server.commands.append(line)
            verb = line.split()[0].upper()
            if verb == "DATA":
                self._take_mail()
            elif verb == "STARTTLS":
                self._begin_tls()
            elif verb == "EHLO":
                self._say("250-sink\r\n250-STARTTLS\r\n250 AUTH PLAIN")
            else:
                self._say({"AUTH": "235 in", "QUIT": "221 bye"}.get(verb, "250 fine"))

    def _take_mail(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line)
        self.server.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self._say("250 taken")

    def _begin_tls(self) -> None:
        assert self.server.files
        self._say("220 go on")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.server.files.certificate, self.server.files.private_key)
        self.request = context.wrap_socket(self.request, server_side=True)
        self.setup()

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")


class SentrySink(ThreadingHTTPServer):
    """Takes every envelope; `events` are those that were in them."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Envelope)
        self.events: list[dict[str, Any]] = []
        self.bodies: list[str] = []

    @property
    def dsn(self) -> str:
        return f"http://public-key-of-sentry@127.0.0.1:{self.server_address[1]}/7"


class _Envelope(BaseHTTPRequestHandler):
    server: SentrySink

    def do_POST(self) -> None:
        assert self.path == "/api/7/envelope/"
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))).decode()
        self.server.bodies.append(body)
        lines = [json.loads(line) for line in body.splitlines()]
        self.server.events += [
            event for head, event in zip(lines[1::2], lines[2::2], strict=True) if head["type"] == "event"
        ]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Serve in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path) -> TlsFiles:
    """For localhost, by a CA of its own."""
    from picket import tls

    return tls.ensure(folder, ["127.0.0.1"])
