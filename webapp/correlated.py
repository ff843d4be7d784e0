"""The scope of an HTTP request: its correlation id, and the line that tells of it."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from twisted.logger import Logger

from picket import correlation

HEADER = "X-Request-ID"

_log = Logger(namespace="web")


class Correlated:
    """A WSGI application around another: each request is a scope, and its id is answered as X-Request-ID.

    The id is that of X-Request-ID or traceparent if they are plausible. A status of 500 and above is a
    failure. The request's line has its path without the query, in which there may be secrets.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        """The other's answer, made and sent within the scope."""
        began = time.monotonic()
        seen = ["no answer"]

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            seen[0] = status.partition(" ")[0]
            return start_response(status, [*headers, (HEADER, work.id)], *error)

        with correlation.scope(_given(environ)) as work:
            answer = self._application(environ, start)
            try:
                yield from answer
            finally:
                getattr(answer, "close", lambda: None)()
                _tell(environ, seen[0], (time.monotonic() - began) * 1000)


def _given(environ: dict[str, Any]) -> str:
    return correlation.from_headers(environ.get("HTTP_X_REQUEST_ID", ""), environ.get("HTTP_TRACEPARENT", ""))


def _tell(environ: dict[str, Any], status: str, took_ms: float) -> None:
    method, path = environ.get("REQUEST_METHOD"), environ.get("PATH_INFO")
    _log.info(
        "{method} {path} {status} in {took_ms:.0f} ms",
        method=method,
        path=path,
        status=status,
        took_ms=took_ms,
    )
    if not status < "500":
        correlation.fail()
