"""Version 1.0 of the API: what the original's first clients ask for."""

from django.http import HttpResponse
from ninja import NinjaAPI

from webapp import backend
from webapp.api import answers, problems
from webapp.api.credentials import ApiRequest, authenticate
from webapp.errors import Refused
from webapp.nodes.search import find_nodes
from webapp.nodes.states import agent_states

api = NinjaAPI(title="Picket", version="1.0", auth=authenticate, docs_url=None)
problems.tell(api)


@api.get("/query/nodes")
def query_nodes(request: ApiRequest, query: str = "*") -> HttpResponse:
    """The nodes that `query` means, as a bare list."""
    nodes = find_nodes(request.auth, query)
    return answers.answer(answers.nodes_v1(nodes, agent_states(request.auth)))


@api.get("/query/node/{node_id}/check/{check}")
def query_check(request: ApiRequest, node_id: str, check: str, key: str | None = None) -> HttpResponse:
    """The newest result of one check of a node; `key` says which disk or interface."""
    if not request.auth.nodes.filter(pk=node_id).exists():
        raise Refused("unknown_node", f"there is no node {node_id!r}")
    found = answers.pick(backend.timeseries().latest(request.auth.pk, node_id), check, key)
    if found is None:
        raise Refused("unknown_check", f"the node has no result of a check {check!r} yet")
    return answers.answer(answers.check_v1(found))
