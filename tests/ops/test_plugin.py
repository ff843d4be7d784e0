"""The plugin that gives tests their engines, seen from outside: pytest runs of their own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
NEEDS_POSTGRESQL = """
import psycopg

def test_it(postgres_url, tmp_path_factory):
    with psycopg.connect(postgres_url) as connection:
        name, port = connection.execute("SELECT current_database(), inet_server_port()").fetchone()
    print("SERVER", port, name)
"""


def _start(folder: Path, code: str, *options: str, **env: str) -> subprocess.Popen[str]:
    (folder / "test_inner.py").write_text(code)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.engines",
        "-p",
        "no:django",
        "-p",
        "no:cacheprovider",
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PICKET_", "PYTEST_"))}
    return subprocess.Popen(
        [*command, "--rootdir", str(folder), "-rA", *options, str(folder)],
        cwd=CHECKOUT,
        env=clean | {"TMPDIR": str(folder)} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _run(folder: Path, code: str, *options: str, **env: str) -> str:
    with _start(folder, code, *options, **env) as inner:
        return inner.communicate(timeout=120)[0]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the engines' own users may enter, which pytest's are not."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o711)
        yield Path(path)


def test_without_engines_their_tests_are_skipped_loudly_and_nothing_starts(folder: Path) -> None:
    output = _run(folder, NEEDS_POSTGRESQL, "--engines=none")

    assert "1 skipped" in output
    assert "LEFT OUT: 1 tests of postgresql, by --engines=none" in output
    assert not list(folder.glob("picket-engines-*"))


def test_an_engine_that_is_not_installed_is_left_out_loudly(folder: Path) -> None:
    code = "def test_it(solr_url): pass"

    output = _run(folder, code, XDG_CACHE_HOME=str(folder))

    assert "1 skipped" in output
    assert "LEFT OUT: 1 tests of solr, not installed: run `make engines`" in output


@pytest.mark.parametrize("options", [["--engines=auto"], ["--engines=none"]])
def test_a_required_engine_that_is_not_installed_is_a_failure(folder: Path, options: list[str]) -> None:
    code = "def test_it(solr_url): pass"

    output = _run(folder, code, *options, XDG_CACHE_HOME=str(folder), PICKET_REQUIRE_ENGINES="1")

    assert "1 error" in output
    assert "solr is required and not installed" in output


def test_workers_share_a_server_and_have_databases_of_their_own(folder: Path) -> None:
    code = (
        NEEDS_POSTGRESQL + "\n\ndef test_two(postgres_url, tmp_path_factory): test_it(postgres_url, None)\n"
    )

    output = _run(folder, code, "-n", "2", "--dist", "each")

    servers = {line for line in output.splitlines() if line.startswith("SERVER")}
    assert {line.split()[2] for line in servers} == {"picket_gw0", "picket_gw1"}
    assert len({line.split()[1] for line in servers}) == 1
    assert not list(folder.glob("picket-engines-*"))


def test_a_run_that_is_killed_leaves_no_engine(folder: Path) -> None:
    code = NEEDS_POSTGRESQL + "    import time; open('" + str(folder / "ready") + "', 'w'); time.sleep(600)\n"
    inner = _start(folder, code)
    _until((folder / "ready").exists)
    assert list(folder.glob("picket-engines-*/postgresql/data/postmaster.pid"))

    inner.send_signal(signal.SIGKILL)

    _until(lambda: not list(folder.glob("picket-engines-*")))
    inner.communicate()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
