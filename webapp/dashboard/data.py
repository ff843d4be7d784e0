"""JSON for the pages' scripts: the columns of a graph, a node's newest results, a ticket for live data."""

import math
from array import array
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import msgspec
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404

import rpc.errors
from rpc import idl
from webapp import backend, live_ticket
from webapp.accounts.models import Account
from webapp.dashboard.account import answer
from webapp.dashboard.latest import result_of
from webapp.errors import BackendUnavailable

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Account, P], HttpResponse]
POINTS_AT_MOST = 5000
LATEST_MS = 253402300799999
"""The end of the year 9999: whatever is beyond it is no time."""


class BadQuestion(Exception):
    """A parameter that is missing, or not what it must be."""


def errors_as_json(view: View[P]) -> View[P]:
    """400 for a bad question, 404 for what the account does not have, 503 while a service is away."""

    @wraps(view)
    def told(request: HttpRequest, account: Account, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, account, *args, **kwargs)
        except (BadQuestion, rpc.errors.Refused) as error:
            return JsonResponse({"error": str(error)}, status=400)
        except Http404:
            return JsonResponse({"error": "there is no such node"}, status=404)
        except (BackendUnavailable, rpc.errors.Unavailable) as error:
            return JsonResponse({"error": str(error)}, status=503)

    return told


class Ask(msgspec.Struct, frozen=True):
    """What one graph shows; `points` is how many fit into it."""

    check: str
    key: str = ""
    metrics: list[str] = []
    points: int = POINTS_AT_MOST


@answer
@errors_as_json
def series(request: HttpRequest, account: Account, node_id: str) -> HttpResponse:
    """Columns of several graphs of one range: ?from=ms&to=ms&ask=[Ask, …]; a list in the order of `ask`."""
    node = get_object_or_404(account.nodes, pk=node_id)
    return _json(list(map(_series, backend.timeseries().query_many(account.pk, node.pk, _queries(request)))))


@answer
@errors_as_json
def latest(request: HttpRequest, account: Account, node_id: str) -> HttpResponse:  # noqa: ARG001 - a view's
    """The newest result of every check of a node."""
    node = get_object_or_404(account.nodes, pk=node_id)
    return _json(latest_of(account, node.pk))


@answer
def ticket(request: HttpRequest, account: Account) -> HttpResponse:  # noqa: ARG001 - a view's
    """A fresh ticket for the live service."""
    return _json({"ticket": live_ticket.make(account.pk, settings.SECRET_KEY)})


def latest_of(account: Account, node_id: str) -> list[dict[str, Any]]:
    """The newest result of every check, as scripts read it. Raises what the backend raises."""
    states = backend.timeseries().latest(account.pk, node_id)
    return [{**msgspec.to_builtins(result_of(state)), "time": state.time_ms} for state in states]


def _queries(request: HttpRequest) -> list[idl.Query]:
    start, end = _integer(request, "from"), _integer(request, "to")
    if end <= start:
        raise BadQuestion("from must be before to")
    try:
        asked = msgspec.json.decode(request.GET.get("ask", ""), type=list[Ask])
    except msgspec.DecodeError as error:
        raise BadQuestion(f"ask is not a list of graphs: {error}") from error
    return [
        idl.Query(
            check=ask.check,
            key=ask.key,
            metrics=ask.metrics,
            start_ms=start,
            end_ms=end,
            max_points=min(ask.points, POINTS_AT_MOST) if ask.points > 0 else POINTS_AT_MOST,
        )
        for ask in asked
    ]


def _integer(request: HttpRequest, name: str) -> int:
    try:
        value = int(request.GET[name])
    except KeyError:
        raise BadQuestion(f"{name} is missing") from None
    except ValueError:
        raise BadQuestion(f"{name} is not a whole number") from None
    if not 0 <= value <= LATEST_MS:
        raise BadQuestion(f"{name} is out of range")
    return value


def _series(found: idl.Series) -> dict[str, Any]:
    columns = [_column(column) for column in found.columns]
    return {"resolution": found.resolution, "times": _numbers("q", found.times), "columns": columns}


def _column(column: idl.Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.kind,
        "values": _numbers("d", column.values),
        "min": _numbers("d", column.minimum),
        "max": _numbers("d", column.maximum),
        "texts": column.texts or [],
    }


def _numbers(kind: str, packed: bytes | None) -> list[float | None]:
    values = array(kind, packed or b"")
    return [value if math.isfinite(value) else None for value in values]


def _json(data: object) -> HttpResponse:
    response = HttpResponse(msgspec.json.encode(data), content_type="application/json")
    response["Cache-Control"] = "private, no-store"
    return response
