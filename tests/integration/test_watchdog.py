"""Services as processes on the real RabbitMQ: one is killed, and the watchdog tells of it once."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

WITHIN_S = 120.0
SETTINGS = """
secret_key = "a secret key that only tests use"
[broker]
kind = "rabbitmq"
urls = ["{url}"]
"""


class House:
    """`picket run …` processes over one RabbitMQ and one SQLite database, both empty at first."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        (home / "picket.toml").write_text(SETTINGS.format(url=url))
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        subprocess.run([*self.picket, "manage", "migrate", "-v", "0"], check=True, env=self.environment)

    picket = (sys.executable, "-m", "picket")

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PICKET_")}
        return kept | {"PICKET_HOME": str(self.home)}

    def start(self, service: str) -> None:
        with self.log(service).open("ab") as log:
            self.running[service] = subprocess.Popen(
                [*self.picket, "run", service], env=self.environment, stdout=log, stderr=log
            )
        wait_until(lambda: self.log(service).read_text().count("ready") > 0)

    def kill(self, service: str) -> None:
        self.running[service].kill()
        self.running.pop(service).wait()
        self.log(service).unlink()

    def log(self, service: str) -> Path:
        return self.home / f"{service}.log"

    def problems(self) -> set[tuple[str, str]]:
        return self.select("SELECT service, kind FROM operations_problem")

    def select(self, query: str) -> set[tuple[str, str]]:
        with closing(sqlite3.connect(self.home / "picket.db")) as database:
            return set(database.execute(query))

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(10)


def wait_until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + WITHIN_S
    while not met():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def house(tmp_path: Path, own_rabbitmq_url: str) -> Iterator[House]:
    house = House(tmp_path, own_rabbitmq_url)
    yield house
    house.stop()


def test_a_killed_service_is_told_of_once_and_so_is_its_return(house: House) -> None:
    house.start("outbox")
    house.start("watchdog")
    wait_until(lambda: ("outbox", "ok") in house.select("SELECT service, state FROM operations_instance"))
    house.kill("outbox")
    wait_until(lambda: ("outbox", "dead") in house.problems())
    wait_until(lambda: ("archive", "dead") in house.problems())  # Nobody has started it.
    assert ("watchdog", "dead") not in house.problems()
    house.start("outbox")
    wait_until(lambda: ("outbox", "dead") not in house.problems())
    told = [line for line in house.log("watchdog").read_text().splitlines() if "outbox" in line]
    assert ["well again" in line for line in told] == [False, True]
