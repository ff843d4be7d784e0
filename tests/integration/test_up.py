"""`picket up` as its users meet it: the second start, Ctrl-C, and what it says when something is wrong."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.agent_client import AgentClient
from tests.integration.test_path import CPU, get
from tests.ledger import Ledger, in_files, kill_up, kill_up_soon, untold
from tests.product import Embedded, eventually, picket


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="picket-up-") as folder:
        yield Path(folder) / "home"


def test_ctrl_c_ends_it_within_5_seconds_and_a_second_start_keeps_all_data(home: Path) -> None:
    first = Embedded(home, "--no-agent")
    product = first.start()
    key = product.key
    with AgentClient(product.agents, product.ca) as agent:
        agent.hello(key, "test-restart")
        agent.frame(1, [CPU])
        agent.wait_for({1})
        assert first.stop() < 5
    again = Embedded(home, "--no-agent")
    try:
        product = again.start()
        product._key = key
        assert get(product, f"/1.0/query/node/{agent.node}/check/cpu")["metrics"]
    finally:
        assert again.stop() < 5


def test_killed_at_an_acknowledgement_it_has_every_acknowledged_frame_once_and_tells_of_every_node(
    home: Path,
) -> None:
    running = Embedded(home, "--no-agent")
    ledger = Ledger(running.start(), "kill", agents=4)
    try:
        for _ in range(3):
            ledger.send(100, at_ack=lambda: kill_up(running))
        ledger.send(100, meanwhile=lambda: kill_up_soon(running))
        eventually(lambda: untold(home)[1] == 0)
        assert untold(home)[0] > 8
    finally:
        running.stop()
    ledger.check(in_files(home))


def test_killed_its_agent_ends_too(home: Path) -> None:
    running = Embedded(home)
    running.start()
    assert running.process is not None
    (agent,) = psutil.Process(running.process.pid).children()
    assert "--end-with-input" in agent.cmdline()
    running.process.kill()
    running.process.wait()
    _, alive = psutil.wait_procs([agent], timeout=5)
    for process in alive:
        process.kill()
    assert alive == []


def test_a_port_in_use_is_one_clear_line(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = picket("up", "--home", str(home), "--web", address, "--agents", "127.0.0.1:0", check=False)
    assert_one_line(ended.stderr, address, "in use")
    assert ended.returncode == 1


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ended = picket("up", "--home", str(file / "home"), check=False)
    assert_one_line(ended.stderr, str(file / "home"), "--home")
    assert ended.returncode == 1


def test_bad_settings_are_a_clear_line_each(home: Path) -> None:
    ended = picket("up", "--home", str(home), "--web", "nowhere", check=False, PICKET_STORE__KIND="paper")
    assert len(ended.stderr.splitlines()) == 2
    assert "web.listen" in ended.stderr
    assert "store.kind" in ended.stderr
    assert ended.returncode == 1


def test_a_second_picket_in_the_same_home_is_refused(home: Path) -> None:
    running = Embedded(home, "--no-agent")
    running.start()
    try:
        ended = picket("up", "--home", str(home), "--web", "127.0.0.1:0", check=False)
        assert_one_line(ended.stderr, str(home), "already runs")
    finally:
        running.stop()


def assert_one_line(text: str, *parts: str) -> None:
    assert len(text.splitlines()) == 1, text
    for part in parts:
        assert part in text
