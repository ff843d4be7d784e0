"""The install lines: where they send agents, and the agent that they fetch, with nothing but pip."""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from unittest.mock import patch

import psutil
from django.test import Client

import picket.settings
from picket.settings import Settings
from tests.webapp.base import TenantTestCase
from webapp import backend
from webapp.dashboard import install
from webapp.dashboard.agent_wheel import agent_wheel


class InstallTest(TenantTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.client.force_login(self.owner)

    def set(self, **agents: object) -> None:
        made = Settings.model_validate(picket.settings.load().model_dump() | {"agents": agents})
        patched = patch.object(picket.settings, "load", lambda: made)
        patched.start()
        self.addCleanup(patched.stop)

    def lines(self) -> str:
        return self.client.post("/nodes/add").content.decode()

    def test_agents_are_sent_to_the_host_that_the_browser_reached_and_the_gateways_own_port(self) -> None:
        self.set(listen="0.0.0.0:0")
        backend.install(agents_port=43210)
        self.assertRegex(self.lines(), r"endpoint +testserver\nendpoint_port +43210\n")

    def test_without_a_gateway_in_this_process_the_port_is_that_of_the_settings(self) -> None:
        self.set(listen="0.0.0.0:4321")
        self.assertRegex(self.lines(), r"endpoint_port +4321\n")

    def test_agents_are_sent_to_the_public_address_where_there_is_one(self) -> None:
        self.set(public_address="gateway.example.com:4999")
        backend.install(agents_port=43210)
        self.assertRegex(self.lines(), r"endpoint +gateway.example.com\nendpoint_port +4999\n")
        self.assertEqual(install.only_here(), "")

    def test_a_gateway_that_only_this_machine_reaches_is_told_with_its_real_port(self) -> None:
        self.set(listen="127.0.0.1:0")
        backend.install(agents_port=43210)
        self.assertIn("127.0.0.1:43210", self.client.get("/nodes/add").content.decode())

    def test_the_lines_fetch_an_agent_that_anybody_may_have(self) -> None:
        found = re.search(r"http://testserver(/agent/\S+\.whl)#sha256=(\w+)", self.lines())
        assert found
        answer = Client().get(found[1])
        self.assertEqual((answer.content, found[2]), (agent_wheel().content, agent_wheel().sha256))
        self.assertEqual(Client().get("/agent/other.whl").status_code, 404)


def psutil_alone(folder: Path) -> Path:
    """A folder from which psutil can be imported, and nothing else."""
    (folder / "only").mkdir()
    (folder / "only/psutil").symlink_to(Path(psutil.__file__).parent)
    return folder / "only"


def test_the_wheel_runs_where_nothing_but_psutil_is_there(tmp_path: Path) -> None:
    made = agent_wheel()
    (tmp_path / made.name).write_bytes(made.content)
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python, agent = tmp_path / "venv/bin/python", tmp_path / "venv/bin/picket-agent"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
    ]
    subprocess.run([*pip, str(tmp_path / made.name)], check=True)
    alone = {"PATH": os.environ["PATH"], "PYTHONPATH": str(psutil_alone(tmp_path))}
    done = subprocess.run(
        [agent, "check", "mem"], env=alone, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert '"mem_total"' in done.stdout
    about = subprocess.run(
        [*pip[:4], str(python), "show", "picket-agent"], capture_output=True, text=True, check=True
    ).stdout
    assert "Requires: psutil" in about


def test_the_wheel_is_the_same_in_every_process() -> None:
    first = agent_wheel()
    agent_wheel.cache_clear()
    assert agent_wheel() == first
