"""The web app's tests once more on each server database: each run migrates a database of its own."""

import os
import subprocess
import sys

import pytest

SUITE = ["tests/webapp", "tests/services/test_directory.py", "tests/services/test_outbox.py"]


@pytest.mark.parametrize("engine", ["mariadb", "postgres"])
def test_the_web_app_keeps_its_promises_on(engine: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{engine}_url")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--engines=none", *SUITE]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PICKET_", "PYTEST_"))}
    run = subprocess.run(
        command, env=kept | {"PICKET_DATABASE__URL": url}, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-1000:]
    assert "skipped" not in run.stdout.splitlines()[-1]
