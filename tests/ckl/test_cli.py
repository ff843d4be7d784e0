"""`ckl` against a running product."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent_client import AgentClient
from tests.product import Product, environment

RESULTS: list[dict[str, Any]] = [
    {"check": "mem", "status": "memory used", "metrics": {"mem_total": 1000, "mem_used": 250}}
]


def ckl(product: Product, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    settings = {"CKL_URL": product.url, "CKL_OAUTH_KEY": product.key["key"]}
    settings |= {"CKL_OAUTH_SECRET": product.key["secret"], "HOME": "/nonexistent"}
    command = [sys.executable, "-m", "ckl.cli", *arguments]
    return subprocess.run(
        command, env=environment(**settings | changed), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def node(embedded: Product) -> str:
    with AgentClient(embedded.agents, embedded.ca) as agent:
        agent.hello(embedded.key, "test-ckl")
        agent.frame(1, RESULTS)
        agent.wait_for({1})
        return agent.node


pytestmark = pytest.mark.xdist_group("embedded")


def test_query_lists_the_servers_that_match(embedded: Product, node: str) -> None:
    listed = ckl(embedded, "query", "node:test-ckl").stdout.splitlines()
    assert [line.split()[:3] for line in listed] == [[node, "test-ckl", "127.0.0.1"]]
    as_json = json.loads(ckl(embedded, "query", "--json", "node:test-ckl").stdout)
    assert as_json[0]["id"] == node


def test_check_prints_the_latest_values_of_a_server_by_its_name(embedded: Product, node: str) -> None:
    said = ckl(embedded, "check", "test-ckl", "mem")
    assert said.stdout.splitlines()[0] == "memory used"
    assert {"mem_used          250", "mem_total         1000"} <= set(said.stdout.splitlines())


def test_errors_are_one_line_and_exit_code_1(embedded: Product, node: str, tmp_path: Path) -> None:
    for arguments, changed, words in (
        (["query", "tag:("], {}, "answers 400"),
        (["check", "nobody", "mem"], {}, "0 servers are called 'nobody'"),
        (["query"], {"CKL_OAUTH_SECRET": "ps_wrong"}, "answers 401"),
        (["query"], {"CKL_URL": "http://127.0.0.1:1"}, "cannot be reached"),
        (["query"], {"CKL_OAUTH_KEY": "", "HOME": str(tmp_path)}, "no oauth_key"),
    ):
        ended = ckl(embedded, *arguments, **changed)
        assert ended.returncode == 1
        assert words in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stdout == ""


def test_a_wrong_command_is_exit_code_2(embedded: Product) -> None:
    assert ckl(embedded, "fly").returncode == 2
