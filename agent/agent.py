"""The agent as a whole: checks that run on whatever the network does, and a connection that is made again."""

import asyncio
import logging
import random
import time
from contextlib import suppress
from pathlib import Path

from agent import config as configuration
from agent.clock import Clock
from agent.config import Config
from agent.connection import Connection, Ended, Redirected, Restart
from agent.schedule import Schedule
from agent.spool import Spool
from agent.state import State

BACKOFF_S = 7.0
LONGEST_BACKOFF_S = 60.0
FLUSH_S = 2.0
log = logging.getLogger("agent")


class Agent:
    """Runs until cancelled, or until the gateway asks for a restart."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._clock = Clock()
        self._spool = Spool(first_seq=int(time.time() * 1000))
        self._schedule = Schedule(self._clock.now_ms, self._spool.add, config.interval or None)
        self._state = State(Path(config.state))
        self._connected = False

    @property
    def stuck(self) -> bool:
        """Whether a check's thread would keep the process from ending."""
        return self._schedule.stuck

    async def run(self) -> bool:
        """True if the agent is to be started anew, False when it was cancelled."""
        checking = asyncio.create_task(self._schedule.run())
        connecting = asyncio.create_task(self._connect_for_ever())
        again = False
        try:
            await asyncio.wait({checking, connecting}, return_when=asyncio.FIRST_COMPLETED)
            again = connecting.done()
        except asyncio.CancelledError:
            await self._flush()
        for task in (checking, connecting):
            task.cancel()
        await asyncio.gather(checking, connecting, return_exceptions=True)
        if checking.done() and not checking.cancelled() and (error := checking.exception()):
            raise error
        return again

    async def _connect_for_ever(self) -> None:
        """Returns when the gateway asks for a restart."""
        failures, elsewhere = 0, ""
        while True:
            connection = Connection(self._config, self._state, self._clock, self._spool, self._schedule)
            target = configuration.endpoint(elsewhere) if elsewhere else {}
            host = target.get("endpoint", self._config.endpoint)
            port = int(target.get("endpoint_port", self._config.endpoint_port))
            elsewhere = ""
            try:
                await self._one(connection, host, port)
            except Restart:
                await asyncio.sleep(random.uniform(0, BACKOFF_S))  # noqa: S311 - a delay, not a secret
                return
            except Redirected as redirected:
                elsewhere = redirected.endpoint
                log.info("%s", redirected)
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
