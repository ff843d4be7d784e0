"""`python -m ops.engines install|start|stop|status [--state DIR] [NAME…]`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ops.engines import fleet, install
from ops.engines.errors import EngineError
from ops.engines.processes import say
from ops.engines.registry import ENGINES

STATE = Path("var/engines")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1 and a clear sentence on standard error when an engine fails."""
    options = _parser().parse_intermixed_args(arguments)
    names = options.names or list(ENGINES)
    try:
        return COMMANDS[options.command](names, options.state.absolute())
    except EngineError as error:
        say(f"{error}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops.engines", description=fleet.__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "--state", type=Path, default=STATE, help="where the engines keep everything (%(default)s)"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(ENGINES)}")
    return parser


def _install(names: Sequence[str], _state: Path) -> int:
    for name in names:
        ENGINES[name]().install()
    if set(names) == set(ENGINES):
        install.debian(install.BROWSER)
    return 0


def _start(names: Sequence[str], state: Path) -> int:
    began = time.monotonic()
    for name, engine in fleet.start(names, state).items():
        say(f"{name:<11} {ENGINES[name]().url(engine)}  (pid {engine.pid})")
    say(f"all answer after {time.monotonic() - began:.0f} s; settings are in {state / 'picket.toml'}")
    return 0


def _stop(names: Sequence[str], state: Path) -> int:
    say(f"stopped: {', '.join(fleet.stop(names, state)) or 'nothing was running'}")
    return 0


def _status(names: Sequence[str], state: Path) -> int:
    """0 only when all of `names` run."""
    running = fleet.running(state)
    for name in names:
        missing = ENGINES[name]().missing()
        idle = f"not installed ({', '.join(missing)})" if missing else "installed, not running"
        say(
            f"{name:<11} "
            + (f"runs, pid {running[name].pid}, {running[name].log}" if name in running else idle)
        )
    return int(not set(names) <= set(running))


COMMANDS = {"install": _install, "start": _start, "stop": _stop, "status": _status}

if __name__ == "__main__":
    sys.exit(main())
