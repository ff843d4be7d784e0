"""`python -m ops.cluster`, which is `make run-engines`: everything comes up, and nothing is left behind."""

import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psutil
import pytest

from ops.cluster import CHECKOUT, COMMANDS
from ops.engines.registry import ENGINES
from tests.engines import SHARED
from tests.product import environment, eventually


@pytest.mark.xdist_group("serial")
def test_the_product_comes_up_on_engines_of_its_own_and_ctrl_c_leaves_nothing(
    pytestconfig: pytest.Config,
) -> None:
    for name in ENGINES:
        pytestconfig.stash[SHARED].demand(name)
    with tempfile.TemporaryDirectory(prefix="picket-run-engines-") as folder:
        Path(folder).chmod(0o711)
        log = Path(folder) / "log"
        with log.open("w") as output:
            running = subprocess.Popen(
                [sys.executable, "-m", "ops.cluster", "--state", f"{folder}/state"],
                env=environment(),
                cwd=CHECKOUT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            greeting = eventually(lambda: re.search(r"sign in +(\S+)", log.read_text()), within_s=150)
            assert urllib.request.urlopen(greeting.group(1), timeout=20).status == 200
            assert len(_of(folder)) >= len(COMMANDS) + 4
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(60)
        assert _of(folder) == []


def _of(folder: str) -> list[str]:
    """The command lines of all processes that work in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(folder) or any(folder in word for word in process.cmdline()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found
