"""The page of this installation's own services, for those who operate it; to others there is no such page."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from webapp.accounts.models import Account
from webapp.accounts.operators import operates
from webapp.dashboard.account import page
from webapp.operations.judge import SILENT_MS
from webapp.operations.models import Instance, Problem


class Line(NamedTuple):
    """An instance as the page shows it."""

    instance: Instance
    state: str
    word: str
    since: datetime
    heard_s: int


@page
@never_cache
def services(request: HttpRequest, account: Account) -> HttpResponse:
    """Every service and instance that was heard, and every problem there is."""
    if not operates(request.user):
        raise Http404
    now_ms = round(time.time() * 1000)
    lines = list(_lines(now_ms))
    context: dict[str, Any] = {
        "here": "services",
        "account": account,
        "lines": lines,
        "problems": _problems(),
    }
    context["deaf"] = bool(lines) and min(line.heard_s for line in lines) * 1000 > SILENT_MS
    return render(request, "services.html", context)


def _lines(now_ms: int) -> Iterator[Line]:
    for one in Instance.objects.all():
        silent_ms = now_ms - one.heard_ms
        if silent_ms > SILENT_MS:
            state, word, since_ms = "silent", "Silent", one.heard_ms
        else:
            state, word, since_ms = one.state, "Up" if one.state == "ok" else "Not ready", one.since_ms
        yield Line(one, state, word, _moment(since_ms), max(0, silent_ms // 1000))


def _problems() -> list[tuple[Problem, datetime]]:
    return [(problem, _moment(problem.since_ms)) for problem in Problem.objects.all()]


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
