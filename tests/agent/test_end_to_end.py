"""The agent as a process, against a gateway that drops, refuses and asks."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from agent.wire import Message
from ops.cluster import CHECKOUT
from picket.tls import TlsFiles, ensure
from tests.agent.gateway import Link, TestGateway, acknowledge

COMMAND = [sys.executable, "-m", "agent.cli"]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return ensure(tmp_path_factory.mktemp("tls"))


def arguments_of(gateway: TestGateway, ca: Path, folder: Path) -> tuple[str, ...]:
    secret = folder / "secret"
    secret.write_text("ps_1\n")
    where = ("--endpoint", f"localhost:{gateway.port}", "--ca", str(ca), "--key", "pk_1")
    return (*where, "--secret-file", str(secret), "--state", str(folder / "state"))


@asynccontextmanager
async def running(
    gateway: TestGateway, ca: Path, folder: Path, *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments_of(gateway, ca, folder), *options),
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def eventually(look: Callable[[], bool], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not look():  # noqa: ASYNC110 - what is looked at has no event
            await asyncio.sleep(0.02)


def played(play: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run on a loop of its own: the agent and this gateway know nothing of Twisted."""
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(play())


def test_a_frame_that_was_not_acknowledged_comes_again_under_the_same_seq(
    files: TlsFiles, tmp_path: Path
) -> None:
    def react(link: Link, message: Message) -> None:
        if message.command == "frame" and link.number == 1:
            link.drop()
        else:
            acknowledge(link, message)

    async def play() -> None:
        async with TestGateway(files, react) as gateway, running(gateway, files.ca, tmp_path):
            await eventually(lambda: len(gateway.seen.frames) >= 2)
            first, second = gateway.seen.frames[:2]
            assert first == second
            assert [hello.get("node") for hello in gateway.seen.hellos] == [None, "n1"]
            assert gateway.seen.hellos[1]["node_secret"] == "s1"

    played(play)


def test_the_first_frame_comes_at_once_in_the_gateways_time(files: TlsFiles, tmp_path: Path) -> None:
    async def play() -> None:
        async with TestGateway(files) as gateway:
            gateway.ahead_ms = 3_600_000
            async with running(gateway, files.ca, tmp_path):
                await eventually(lambda: bool(gateway.seen.hellos))
                began = time.monotonic()
                await eventually(lambda: bool(gateway.seen.frames))
                assert time.monotonic() - began < 3
                (_, body) = gateway.seen.frames[0]
                assert abs(body["time"] - 3_600_000 - time.time() * 1000) < 5000
                assert {"cpu", "mem"} <= {result["check"] for result in body["results"]}

    played(play)


def test_seqs_are_never_used_again_by_a_later_run(files: TlsFiles, tmp_path: Path) -> None:
    async def play() -> None:
        async with TestGateway(files) as gateway:
            for run in (1, 2):
                async with running(gateway, files.ca, tmp_path):
                    await eventually(lambda run=run: len(gateway.seen.frames) >= run)  # type: ignore[misc]
            first, second = gateway.seen.seqs()
            assert first < second

    played(play)


def test_frames_survive_a_kill_with_their_seq_and_their_bytes(files: TlsFiles, tmp_path: Path) -> None:
    heard: dict[str, bytes] = {}
    acked: list[str] = []

    def withhold(_link: Link, message: Message) -> None:
        if message.command == "frame":
            heard[message.words[0]] = message.payload

    def confirm(link: Link, message: Message) -> None:
        if message.command == "frame":
            assert heard.get(message.words[0], message.payload) == message.payload
            acked.append(message.words[0])
            acknowledge(link, message)

    def kept() -> dict[str, bytes]:
        path = tmp_path / "state" / "spool.db"
        if not path.exists():
            return {}
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return {str(seq): payload for seq, payload in db.execute("SELECT seq, payload FROM frames")}

    async def play() -> None:
        async with TestGateway(files, withhold) as gateway:
            async with running(gateway, files.ca, tmp_path, "--interval", "0.1") as process:
                await eventually(lambda: len(heard) == gateway.in_flight and len(kept()) >= 20)
                process.kill()
                await process.wait()
            left = kept()
            assert heard.keys() <= left.keys()
            assert all(left[seq] == payload for seq, payload in heard.items())
            heard.update(left)
            gateway.react = confirm
            async with running(gateway, files.ca, tmp_path, "--interval", "1"):
                await eventually(lambda: left.keys() <= set(acked))
                await eventually(lambda: not left.keys() & kept().keys())
                await eventually(lambda: bool(set(acked) - left.keys()))
            assert min(map(int, set(acked) - left.keys())) > max(map(int, left))

    played(play)


def test_a_check_runs_when_it_is_asked_for(files: TlsFiles, tmp_path: Path) -> None:
    def react(link: Link, message: Message) -> None:
        if message.command == "hello 2":
            link.say("run_check", "T1", "disk", payload={"path": ["/"]})

    async def play() -> None:
        async with TestGateway(files, react) as gateway, running(gateway, files.ca, tmp_path):
            await eventually(lambda: bool(gateway.seen.results))
            token, body = gateway.seen.results[0]
            assert token == "T1"
            assert [(one["check"], one["key"]) for one in body["results"]] == [("disk", "/")]

    played(play)


def test_the_state_is_for_this_user_only(files: TlsFiles, tmp_path: Path) -> None:
    async def play() -> None:
        async with TestGateway(files) as gateway, running(gateway, files.ca, tmp_path):
            await eventually(lambda: bool(gateway.seen.frames))

    played(play)
    kept = [path for path in (tmp_path / "state").iterdir() if path.is_file()]
    assert kept
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_an_agent_that_is_told_to_stop_ends_soon(files: TlsFiles, tmp_path: Path) -> None:
    def never(_link: Link, _message: Message) -> None:
        pass

    async def play() -> None:
        async with TestGateway(files, never) as gateway, running(gateway, files.ca, tmp_path) as process:
            await eventually(lambda: bool(gateway.seen.frames))
            process.terminate()
            began = time.monotonic()
            assert await process.wait() == 0
            assert 1 < time.monotonic() - began < 4  # it gave the acknowledgement a chance

    played(play)


def test_an_agent_may_end_with_its_input(files: TlsFiles, tmp_path: Path) -> None:
    async def play() -> None:
        async with (
            TestGateway(files) as gateway,
            running(gateway, files.ca, tmp_path, "--end-with-input") as process,
        ):
            await eventually(lambda: bool(gateway.seen.frames))
            assert process.returncode is None
            assert process.stdin
            process.stdin.close()
            assert await asyncio.wait_for(process.wait(), 5) == 0

    played(play)


def test_a_second_agent_on_the_same_state_is_refused_by_one_line(files: TlsFiles, tmp_path: Path) -> None:
    async def play() -> None:
        async with TestGateway(files) as gateway, running(gateway, files.ca, tmp_path):
            await eventually(lambda: bool(gateway.seen.frames))
            second = [*COMMAND, *arguments_of(gateway, files.ca, tmp_path)]
            done = await asyncio.to_thread(
                subprocess.run, second, capture_output=True, text=True, cwd=CHECKOUT, timeout=10
            )
            assert done.returncode == 1
            assert f"another agent already runs on {tmp_path / 'state'}" in done.stderr
            assert done.stderr.count("\n") == 1

    played(play)


def test_a_certificate_of_somebody_else_is_not_trusted(files: TlsFiles, tmp_path: Path) -> None:
    other = ensure(tmp_path / "other")

    async def play() -> None:
        async with TestGateway(files) as gateway, running(gateway, other.ca, tmp_path) as process:
            assert process.stderr
            line = await asyncio.wait_for(process.stderr.readline(), 10)
            assert b"certificate" in line.lower()
            assert gateway.seen.hellos == []

    played(play)


@pytest.mark.parametrize(
    "order", [("restart",), ("redirect", "nonsense:port"), ("error", "internal", "sorry")]
)
def test_whatever_ends_a_connection_nothing_is_lost(
    files: TlsFiles, tmp_path: Path, order: tuple[str, ...]
) -> None:
    def react(link: Link, message: Message) -> None:
        if message.command == "frame" and link.number == 1:
            link.say(*order)
        else:
            acknowledge(link, message)

    async def play() -> None:
        async with TestGateway(files, react) as gateway, running(gateway, files.ca, tmp_path):
            await eventually(lambda: len(gateway.seen.frames) >= 2)
            first, second = gateway.seen.frames[:2]
            assert first == second

    played(play)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "oauth_key"),
        (["--endpoint", "nowhere:port", "--key", "k", "--state", "/tmp/x"], "nowhere:port"),
        (["--config", "/nowhere.conf"], "/nowhere.conf"),
        (["--key", "k", "--secret-file", __file__, "--ca", "/nowhere.pem"], "/nowhere.pem"),
    ],
)
def test_a_bad_command_line_is_answered_by_one_line(arguments: list[str], complaint: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 1
    assert done.stderr.startswith("picket-agent: ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_check_can_be_looked_at() -> None:
    done = subprocess.run([*COMMAND, "check", "mem"], capture_output=True, text=True, cwd=CHECKOUT)
    (result,) = json.loads(done.stdout)
    assert result["check"] == "mem"
    assert done.returncode == 0
