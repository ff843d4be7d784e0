"""The log of a whole `picket up`: one id from an agent or a request through all it causes, no secrets."""

import json
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent_client import AgentClient
from tests.product import Embedded, Product, eventually

CPU = {"check": "cpu", "metrics": {"cpu_user": 12.5}, "status": "fine"}


class Running:
    """A Picket that logs everything as JSON."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        (home / "picket.toml").write_text('[log]\nlevel = "debug"\nformat = "json"\n')
        self.picket = Embedded(home, "--no-agent")
        self.product: Product = self.picket.start()

    def lines(self) -> list[dict[str, Any]]:
        told = self.picket.log.read_text().splitlines()
        return [json.loads(line) for line in told if line.startswith("{") and line.endswith("}")]

    def loggers(self, correlation_id: str) -> set[str]:
        """Who has logged under this id."""
        return {line["logger"] for line in self.lines() if line.get("correlation_id") == correlation_id}


@pytest.fixture
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="picket-logs-") as folder:
        found = Running(Path(folder) / "home")
        try:
            yield found
        finally:
            found.picket.stop()


def test_ids_are_followed_through_the_whole_and_secrets_stay_out(running: Running) -> None:
    product = running.product
    with AgentClient(product.agents, product.ca) as agent:
        agent.hello(product.key, "test-logs")
        agent.frame(1, [CPU])
        agent.wait_for({1})
        node = agent.node
    connection = eventually(lambda: ended_connection(running))
    eventually(lambda: running.loggers(connection) >= {"gateway", "rpc", "eventframework"})

    token = "{key}.{secret}".format(**product.key)
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "request-91"}
    path = f"/1.0/query/node/{node}/check/cpu"
    request = urllib.request.Request(f"{product.url}{path}?token={token}", headers=headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.headers["X-Request-ID"] == "request-91"
    eventually(lambda: running.loggers("request-91") >= {"web", "rpc"})

    link = product.sign_in_link
    with urllib.request.urlopen(link, timeout=20):
        eventually(lambda: any("/enter/***" in line["message"] for line in running.lines()))
    said = "\n".join(json.dumps(line) for line in running.lines())
    secret_key = (running.picket.home / "secret.key").read_text().strip()
    for secret in (product.key["secret"], product.key["key"], secret_key, link.rsplit("/", 1)[1]):
        assert secret not in said


def ended_connection(running: Running) -> str:
    """The id of the agent's connection, once it is over."""
    ended = [line for line in running.lines() if "ended: lost" in line["message"]]
    return ended[0]["fields"]["id"] if ended else ""
