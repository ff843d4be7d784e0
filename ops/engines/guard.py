"""`python -m ops.engines.guard PID DIR`: when process PID has ended, however it did, discard the engines in DIR.

A test run that is killed can't stop what it started; this can.
"""

import sys
from contextlib import suppress
from pathlib import Path

import psutil

from ops.engines import fleet
from ops.engines.processes import Process, spawn

CHECKOUT = Path(__file__).parents[2]


def watch(owner: int, root: Path) -> Process:
    """Start a guard in the background."""
    command = [sys.executable, "-m", "ops.engines.guard", str(owner), str(root)]
    return spawn(command, log=root / "guard.log", cwd=CHECKOUT)


def main(owner: int, root: Path) -> None:
    """Wait for `owner` to end, then discard what it left."""
    with suppress(psutil.NoSuchProcess):
        psutil.Process(owner).wait()
    fleet.discard(root)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
