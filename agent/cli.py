"""The command `picket-agent`: run the agent, or one check for a look at its result."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from agent import config as configuration
from agent.checks import CHECKS, CheckFailed, Request, Samples
from agent.config import Config, ConfigError
from agent.schedule import BASELINE_S
from agent.state import InUse

DESCRIPTION = "Measures this machine and sends what it finds to a Picket gateway."


def main() -> None:
    """The entry point; exits with 1 after an error, told in one line."""
    arguments = _parser().parse_args()
    try:
        status = _check(arguments) if arguments.command == "check" else _run(arguments)
    except (ConfigError, CheckFailed, InUse, OSError) as error:
        print(f"picket-agent: {error}", file=sys.stderr)
        status = 1
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("picket-agent", description=DESCRIPTION)
    parser.add_argument("--config", type=Path, help="file of `key value` lines; options go before it")
    parser.add_argument("--endpoint", help="the gateway, HOST:PORT")
    parser.add_argument("--ca", help="PEM file of the authorities to trust, instead of the system's")
    parser.add_argument("--server-name", help="the name in the gateway's certificate, if not HOST")
    parser.add_argument("--key", help="the API key")
    parser.add_argument("--secret-file", type=Path, help="file that holds the key's secret")
    parser.add_argument("--state", help="folder to remember the node's identity in")
    parser.add_argument("--interval", help="seconds between results, instead of what is assigned")
    parser.add_argument("--log-level", help="debug, info, warning or error")
    parser.add_argument(
        "--end-with-input", action="store_true", help="end when standard input ends, as it does with a parent"
    )
    commands = parser.add_subparsers(dest="command", metavar="check")
    check = commands.add_parser("check", help="run one check and print its results")
    check.add_argument("name", choices=sorted(CHECKS))
    check.add_argument(
        "instance", nargs="?", default="", help="such as a path or an interface; all by default"
    )
    return parser


def _config(arguments: argparse.Namespace) -> Config:
    values = configuration.read(arguments.config) if arguments.config else {}
    if arguments.endpoint:
        values |= configuration.endpoint(arguments.endpoint)
    if arguments.key:
        values["oauth_key"] = arguments.key
    if arguments.secret_file:
        values["oauth_secret"] = arguments.secret_file.read_text().strip()
    for name in ("ca", "server_name", "state", "interval", "log_level"):
        if getattr(arguments, name):
            values[name] = getattr(arguments, name)
    config = configuration.make(values)
    config.check()
    return config


def _check(arguments: argparse.Namespace) -> int:
    check, request, samples = CHECKS[arguments.name], Request(arguments.name, arguments.instance), Samples()
    check(request, samples)
    time.sleep(BASELINE_S)
    results = [result.as_json() for result in check(request, samples)]
    print(json.dumps(results, indent=2, ensure_ascii=False))
    return 0 if all(result["state"] == "ok" for result in results) else 2


def _run(arguments: argparse.Namespace) -> int:
    config = _config(arguments)
    level = getattr(logging, config.log_level.upper(), logging.INFO)
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stuck = asyncio.run(_until_stopped(config, end_with_input=arguments.end_with_input))
    logging.shutdown()
    if stuck:  # the interpreter would wait for the thread
        os._exit(0)
    return 0


async def _until_stopped(config: Config, *, end_with_input: bool) -> bool:
    from agent.agent import Agent

    agent = Agent(config)
    running = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    if end_with_input:
        stop = partial(loop.call_soon_threadsafe, running.cancel)
        threading.Thread(target=thd_at_end_of_input, args=(stop,), daemon=True).start()
    await running
    return agent.stuck


def thd_at_end_of_input(stop: Callable[[], object]) -> None:
    """Call `stop` at the end of standard input; what comes before it means nothing."""
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):  # the loop may have ended first
        stop()


if __name__ == "__main__":
    main()
