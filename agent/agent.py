"""The agent as a whole: checks that run on whatever the network does, and a connection that is made again."""

import asyncio
import logging
import random
from contextlib import suppress
from pathlib import Path

from agent import config as configuration
from agent.clock import Clock
from agent.config import Config, ConfigError
from agent.connection import Connection, Ended, Redirected
from agent.journal import Journal
from agent.schedule import Schedule
from agent.spool import Spool
from agent.state import State, lock
from agent.wire import PORT

BACKOFF_S = 7.0
LONGEST_BACKOFF_S = 60.0
FLUSH_S = 2.0
log = logging.getLogger("agent")


class Agent:
    """Runs until cancelled."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._clock = Clock()
        self._spool = Spool(Journal(Path(config.state)), self._clock.now_ms)
        self._schedule = Schedule(self._clock.now_ms, self._spool.add, config.interval or None)
        self._lock = lock(Path(config.state))
        self._state = State(Path(config.state))
        self._connected = self._disk_stuck = False

    @property
    def stuck(self) -> bool:
        """Whether a thread would keep the process from ending."""
        return self._schedule.stuck or self._disk_stuck

    async def run(self) -> None:
        """Check and send; when cancelled, give what is on its way a moment. Raises what is a defect."""
        await self._spool.open(self._state.first_seq)
        checking, *_ = tasks = [
            asyncio.create_task(each())
            for each in (self._schedule.run, self._connect_for_ever, self._spool.run)
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            checking.cancel()
            await self._flush()
        for task in tasks:
            task.cancel()
        endings = await asyncio.gather(*tasks, return_exceptions=True)
        self._disk_stuck = not await self._spool.close()
        for ended in endings:
            if isinstance(ended, Exception):
                raise ended

    async def _connect_for_ever(self) -> None:
        home = (self._config.endpoint, self._config.endpoint_port)
        failures, target = 0, home
        while True:
            connection = Connection(self._config, self._state, self._clock, self._spool, self._schedule)
            host, port = target
            target = home
            try:
                await self._one(connection, host, port)
            except Redirected as redirected:
                log.info("%s", redirected)
                target = _elsewhere(redirected.endpoint) or home
            except Ended as ended:
                failures = 0 if connection.accepted else failures + 1
                log.warning("connection to %s:%s ended: %s", host, port, ended)
            delay_s = random.uniform(0, min(LONGEST_BACKOFF_S, BACKOFF_S * 2 ** min(failures, 10)))  # noqa: S311
            await asyncio.sleep(delay_s)

    async def _one(self, connection: Connection, host: str, port: int) -> None:
        self._connected = True
        try:
            await connection.run(host, port)
        finally:
            self._connected = False

    async def _flush(self) -> None:
        """Give the gateway a moment to acknowledge what is on its way."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                while len(self._spool) and self._connected:  # noqa: ASYNC110 - either may change
                    await asyncio.sleep(0.02)


def _elsewhere(endpoint: str) -> tuple[str, int] | None:
    try:
        target = configuration.endpoint(endpoint)
        return target["endpoint"], int(target.get("endpoint_port", PORT))
    except ConfigError:
        return None
