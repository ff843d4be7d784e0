"""`python -m ops.engines.guard PID DIR` discards the engines in DIR once process PID has ended, however.

A test run that is killed can't stop what it started; this can.
"""

import sys
import time
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
    try:
        process = Process(owner, psutil.Process(owner).create_time())
        # Waiting for it would not do: a killed process that nobody has reaped is gone to us.
        while process.find():
            time.sleep(0.5)
    except psutil.NoSuchProcess:
        pass
    fleet.discard(root)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
