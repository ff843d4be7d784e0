"""Stats over HTTP: `/stats` (JSON, check form), `/metrics` (Prometheus), `/healthz` and `/readyz`."""

import json
from collections.abc import Callable, Collection
from typing import cast

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request

from statslib import prometheus
from statslib.check_form import check_form
from statslib.stats import Stats


def stats_resource(owners: Collection[Stats]) -> Resource:
    """The resource tree of a process that hosts `owners`; its root has no page of its own."""
    root = Resource()
    pages = {
        b"stats": _Page("application/json", lambda: (200, json.dumps(check_form(owners), allow_nan=False))),
        b"metrics": _Page("text/plain; version=0.0.4", lambda: (200, prometheus.text(owners))),
        b"healthz": _Page("text/plain", lambda: (200, "ok\n")),
        b"readyz": _Page("text/plain", lambda: _ready(owners)),
    }
    for path, page in pages.items():
        root.putChild(path, cast(IResource, page))
    return root


class _Page(Resource):
    """One page; `text` returns its status and text."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, content_type: str, text: Callable[[], tuple[int, str]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._content_type = content_type
        self._text = text

    def render_GET(self, request: Request) -> bytes:  # noqa: N802 - Twisted's name
        status, text = self._text()
        request.setResponseCode(status)
        content_type = f"{self._content_type}; charset=utf-8".encode()
        request.setHeader(b"Content-Type", content_type)
        return text.encode()


def _ready(owners: Collection[Stats]) -> tuple[int, str]:
    reasons = [f"{owner.name}: {owner.unready}\n" for owner in owners if owner.unready]
    return (503, "".join(reasons)) if reasons else (200, "ready\n")
