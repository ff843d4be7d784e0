"""Version 2.0 of the API."""

import re
from typing import Annotated, Literal

from django.http import HttpResponse, StreamingHttpResponse
from ninja import NinjaAPI
from pydantic import Field

from rpc import idl
from webapp.api import across, answers, export, problems, top
from webapp.api.credentials import ApiRequest, authenticate
from webapp.errors import Refused
from webapp.nodes import delete
from webapp.nodes.search import find_nodes
from webapp.nodes.states import agent_states

api = NinjaAPI(title="Picket", version="2.0", auth=authenticate, docs_url=None)
problems.tell(api)

Hours = Annotated[int, Field(ge=1, le=366 * 24)]
NODE_ID = re.compile("n[0-9a-f]{10}")


@api.get("/nodes")
def list_nodes(request: ApiRequest, query: str = "*", node_ids: str | None = None) -> HttpResponse:
    """The nodes that `query` means, and of these only `node_ids` (in any notation) where given."""
    nodes = find_nodes(request.auth, query)
    if node_ids is not None:
        nodes = nodes.filter(pk__in=NODE_ID.findall(node_ids))
    return answers.answer(answers.nodes_v2(nodes, agent_states(request.auth)))


@api.delete("/nodes/{node_id}")
def delete_node(request: ApiRequest, node_id: str) -> HttpResponse:
    """Delete a node and, within minutes, all that was measured of it; 204."""
    delete.delete_node(request.auth, node_id)
    return HttpResponse(status=204)


@api.get("/top")
def top_nodes(
    request: ApiRequest,
    check: str,
    metric: str,
    key: str = "",
    by: str = "mean",
    hours: Hours = 24,
    limit: int = 10,
    ascending: bool = False,
    query: str = "*",
    percentiles: str = "",
) -> HttpResponse:
    """The nodes that `query` means with the greatest values of a metric, and all of them together.

    A node's value is its mean, min, max, sum or count over the last closed `hours`, or its latest.
    `percentiles`, such as 50,95, are of the values of all nodes.
    """
    rank = idl.Rank(check=check, key=key, metric=metric, by=by, limit=limit, ascending=ascending)
    nodes = find_nodes(request.auth, query)
    return answers.answer(top.top(request.auth, nodes, rank, hours, across.numbers(percentiles)))


@api.get("/across")
def across_nodes(
    request: ApiRequest,
    check: str,
    metric: str,
    key: str = "",
    by: str = "mean",
    start: int | None = None,
    end: int | None = None,
    points: int = 300,
    percentiles: str = "",
    query: str = "*",
) -> HttpResponse:
    """A metric of the nodes that `query` means over time: the total, mean, least and greatest of each point.

    From `start` to `end` (ms), else of the last day. A node's value in a point is its mean, min, max, sum or
    count there. `percentiles`, such as 50,95, come as p50 and p95. Unless `due`, what was measured since the
    last full hour is not in it yet: of over 100 nodes.
    """
    question = idl.Across(check=check, key=key, metric=metric, by=by, max_points=points)
    nodes = find_nodes(request.auth, query)
    return answers.answer(across.across(request.auth, nodes, question, start, end, percentiles))


@api.get("/nodes/{node_id}/export")
def export_check(
    request: ApiRequest,
    node_id: str,
    check: str,
    start: int,
    end: int,
    key: str = "",
    format: Literal["csv", "openmetrics"] = "csv",  # noqa: A002 - the parameter's name
) -> StreamingHttpResponse:
    """What is kept of a check of a node from `start` to `end` (ms), as CSV or as OpenMetrics text."""
    if not request.auth.nodes.filter(pk=node_id).exists():
        raise Refused("unknown_node", f"there is no node {node_id!r}")
    asked = export.Export(request.auth.pk, node_id, check, key, start, end)
    return export.response(asked, format)
