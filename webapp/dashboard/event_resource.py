"""`GET /live/events?ticket=T[&node=ID]`: who may have which stream of Server-Sent Events."""

from collections.abc import Coroutine
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from picket import correlation
from webapp import live_ticket
from webapp.dashboard.event_stream import Viewer
from webapp.errors import Refused


class Streams(Protocol):
    """What feeds the viewers: the `live` service."""

    def is_full(self, account_id: str) -> bool:
        """Whether the account has as many streams as it may."""

    def watch(self, viewer: Viewer, last_id: str) -> Coroutine[Any, Any, None]:
        """Send what is known, then what comes, until the viewer goes."""

    def leave(self, viewer: Viewer) -> None:
        """Send no more to this one."""


class Events(Resource):
    """`/live/events`: checks the ticket, then the stream is the service's."""

    isLeaf = True  # noqa: N815 - Twisted's name, as below
    _log = Logger()

    def __init__(self, live: Streams, secret_key: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._live, self._secret_key = live, secret_key

    def render_GET(self, request: Any) -> bytes | int:  # noqa: N802
        """Twisted's: begin a stream, or say why not."""
        given = (request.getHeader(name) or "" for name in ("x-request-id", "traceparent"))
        with correlation.scope(correlation.from_headers(*given)) as work:
            request.setHeader(b"x-request-id", work.id.encode())
            return self._render(request)

    def _render(self, request: Any) -> bytes | int:
        try:
            account_id = live_ticket.read(_argument(request, b"ticket"), self._secret_key)
        except Refused as error:
            return _plain(request, 403, error.message)
        if self._live.is_full(account_id):
            return _plain(request, 429, "this account has too many live pages open")
        self._begin(request, account_id, _argument(request, b"node"))
        return NOT_DONE_YET

    def _begin(self, request: Any, account_id: str, node_id: str) -> None:
        request.setHeader(b"content-type", b"text/event-stream; charset=utf-8")
        request.setHeader(b"cache-control", b"no-store")
        request.setHeader(b"x-accel-buffering", b"no")
        viewer = Viewer(request, account_id, node_id)
        request.notifyFinish().addBoth(self._left, viewer)
        last_id = request.getHeader("last-event-id") or ""
        watching = Deferred.fromCoroutine(self._live.watch(viewer, last_id))
        watching.addErrback(lambda failure: self._log.failure("stream not begun", failure))

    def _left(self, _reason: object, viewer: Viewer) -> None:
        viewer.gone = True
        self._live.leave(viewer)


def _argument(request: Any, name: bytes) -> str:
    values: list[bytes] = (request.args or {}).get(name, [b""])
    return values[0].decode("utf-8", "replace")


def _plain(request: Any, code: int, text: str) -> bytes:
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode()
