"""The main job, end to end, in both shapes of the product: from an agent's frame to pages and API."""

import json
import time
import urllib.error
import urllib.request
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from oauthlib.oauth1 import Client

from tests.agent_client import AgentClient
from tests.product import Product, eventually

CPU = {"check": "cpu", "metrics": {"cpu_user": 12.5, "cpu_sys": 2.5, "cpu_idle": 85.0}, "status": "fine"}
MEM = {"check": "mem", "metrics": {"mem_total": 1000, "mem_used": 250}, "status": "memory used"}


def get(product: Product, path: str) -> Any:
    bearer = "Bearer {key}.{secret}".format(**product.key)
    request = urllib.request.Request(product.url + path, headers={"Authorization": bearer})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def test_this_machines_own_agent_appears_with_its_processor_memory_disk_and_network(product: Product) -> None:
    node = eventually(lambda: own_node(product), within_s=40)
    for check, metric in {
        "cpu": "cpu_user",
        "mem": "mem_used",
        "disk": "capacity",
        "net": "in_bytes",
    }.items():
        path = f"/1.0/query/node/{node['id']}/check/{check}"
        metrics = eventually(partial(values, product, path), within_s=40)
        assert metrics[metric] >= 0


def own_node(product: Product) -> Any:
    nodes = get(product, "/2.0/nodes")["items"]
    return next((node for node in nodes if not node["name"].startswith("test-")), None)


def found(product: Product, path: str) -> Any:
    """What the API answers, or None while it has nothing there."""
    try:
        return get(product, path)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return None


def soon(product: Product, path: str) -> Any:
    """What the API answers shortly after an acknowledgement: `live` is handed the frame at the same time."""
    return eventually(partial(found, product, path), within_s=5)


def values(product: Product, path: str) -> dict[str, Any]:
    return {metric["name"]: metric["value"] for metric in (found(product, path) or {}).get("metrics", ())}


def test_an_acknowledged_frame_is_what_the_api_answers(product: Product) -> None:
    with AgentClient(product.agents, product.ca) as agent:
        agent.hello(product.key, "test-path")
        agent.frame(1, [CPU, MEM])
        agent.wait_for({1})
        cpu = soon(product, f"/1.0/query/node/{agent.node}/check/cpu")
        mem = soon(product, f"/1.0/query/node/{agent.node}/check/mem")
    assert cpu["status"] == "fine"
    assert {"name": "cpu_user", "type": "float", "value": 12.5} in cpu["metrics"]
    assert {"name": "mem_used", "type": "int", "value": 250} in mem["metrics"]
    assert {"name": "mem_percent_used", "type": "float", "value": 25.0} in mem["metrics"]


@pytest.mark.parametrize("place", ["AUTH_HEADER", "QUERY"])
def test_a_client_that_signs_with_oauth_1_reads_the_nodes(product: Product, place: str) -> None:
    client = Client(product.key["key"], product.key["secret"], signature_type=place)
    url, headers, _ = client.sign(f"{product.url}/1.0/query/nodes?query={quote('*')}")
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        nodes = json.load(answer)
    assert {"id", "name", "ipaddress", "agent_state", "color", "tags"} <= set(nodes[0])


def test_a_frame_sent_twice_is_stored_once(product: Product) -> None:
    now = int(time.time() * 1000)
    for _ in range(2):
        with AgentClient(product.agents, product.ca) as agent:
            agent.hello(product.key, "test-twice")
            agent.frame(7, [CPU], now)
            agent.wait_for({7})
    assert soon(product, f"/1.0/query/node/{agent.node}/check/cpu")["metrics"]


def test_a_wrong_secret_is_refused_by_gateway_and_api(product: Product) -> None:
    wrong = {"key": product.key["key"], "secret": "ps_wrong"}
    with AgentClient(product.agents, product.ca) as agent, pytest.raises(AssertionError):
        agent.hello(wrong, "test-wrong")
    request = urllib.request.Request(product.url + "/2.0/nodes")
    request.add_header("Authorization", "Bearer {key}.{secret}".format(**wrong))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=20)
