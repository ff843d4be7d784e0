"""`python -m bench`, run to its end."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What it said, and its exit code."""
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=100)
