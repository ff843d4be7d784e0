"""A way to a server that can be cut, held up and slowed down, run by a thread of its own."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no time. The other end gets a reset instead of a goodbye."""


class Proxy:
    """Listens on `port` of 127.0.0.1 and passes every connection on to `there`, until `close`.

    `delay_s` is what each chunk waits before it is passed on.
    """

    def __init__(self, there: tuple[str, int]) -> None:
        self.delay_s = 0.0
        self._there = there
        self._ends: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._call(self._listen)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._ends) // 2

    def cut(self) -> int:
        """Reset every connection at both ends; returns how many there were."""
        return int(self._call(self._cut)) // 2

    def hold(self) -> None:
        """Pass nothing on any more, not even the end of a connection; close nothing, and let new ones in."""
        self._call(self._hold)

    def release(self) -> None:
        """Pass on what was held, and all that comes."""
        self._call(self._release)

    def close(self) -> None:
        """Cut everything and listen no more."""
        self._call(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, step: Callable[[], Any]) -> Any:
        """Run a coroutine function in the thread; its result."""
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        self._flowing.set()
        return await asyncio.start_server(self._take, "127.0.0.1", 0)

    async def _hold(self) -> None:
        self._flowing.clear()

    async def _release(self) -> None:
        self._flowing.set()

    async def _cut(self) -> int:
        ends, self._ends = self._ends, set()
        for end in ends:
            with suppress(OSError):  # It may have closed by itself.
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.transport.abort()
        return len(ends)

    async def _close(self) -> None:
        self._server.close()
        self._flowing.set()
        await self._cut()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=5)

    async def _take(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            far_in, far_out = await asyncio.open_connection(*self._there)
        except OSError:
            near_out.transport.abort()
            return
        self._ends |= {near_out, far_out}
        await asyncio.gather(self._pass(near_in, far_out), self._pass(far_in, near_out))
        self._ends -= {near_out, far_out}

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                await asyncio.sleep(self.delay_s)
                await self._flowing.wait()
                target.write(data)
                await target.drain()
            await self._flowing.wait()
        except OSError:
            pass  # The other direction, or `cut`, has ended it.
        finally:
            target.close()
