"""Version 2.0 of the API."""

import re

from django.http import HttpResponse
from ninja import NinjaAPI

from webapp.api import answers, problems
from webapp.api.credentials import ApiRequest, authenticate
from webapp.nodes.search import find_nodes
from webapp.nodes.states import agent_states

api = NinjaAPI(title="Picket", version="2.0", auth=authenticate, docs_url=None)
problems.tell(api)

NODE_ID = re.compile("n[0-9a-f]{10}")


@api.get("/nodes")
def list_nodes(request: ApiRequest, query: str = "*", node_ids: str | None = None) -> HttpResponse:
    """The nodes that `query` means, and of these only `node_ids` (in any notation) where given."""
    nodes = find_nodes(request.auth, query)
    if node_ids is not None:
        nodes = nodes.filter(pk__in=NODE_ID.findall(node_ids))
    return answers.answer(answers.nodes_v2(nodes, agent_states(request.auth)))
