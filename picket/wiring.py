"""What both shapes of the product put together in the same way, out of the parts that a Runner has."""

import socket
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from agent_gateway.gateway import Gateway
from eventframework.catalogue import EventsCommitted
from eventframework.errors import EventError
from eventframework.framework import Framework
from picket import tls
from picket.reactor import Reactor
from picket.settings import Settings
from services.runner import Runner


def gateway(settings: Settings, reactor: Reactor, runner: Runner) -> Gateway:
    """The gateway, not started."""
    return Gateway(
        clock=reactor,
        bus=runner.bus,
        directory=runner.client("directory"),
        limits=settings.agents.limits,
        stats=runner.stats("gateway"),
        gateway_id=settings.agents.gateway_id or socket.gethostname(),
    )


async def tls_files(settings: Settings) -> tls.TlsFiles:
    """Those of the settings, or the home's own, made at the first start."""
    agents = settings.agents
    if agents.certificate and agents.private_key:
        return tls.TlsFiles(agents.ca or agents.certificate, agents.certificate, agents.private_key)
    return await deferToThread(tls.ensure, settings.home / "tls", [agents.listen.host])


def back_the_web(reactor: Reactor, runner: Runner, *, agents_port: int = 0) -> None:
    """Tell the web app how to reach what is behind it, and the port of a gateway in this process."""
    from webapp import backend

    backend.install(
        timeseries=runner.blocking("query"),
        live=runner.blocking("live"),
        agents_port=agents_port,
    )
    hint_the_outbox(reactor, runner)


def hint_the_outbox(reactor: Reactor, runner: Runner) -> Callable[[], None]:
    """Where another process relays what Django commits in this one: tell it of commits, until ended."""
    from webapp.outbox import waking

    if runner.hosts("outbox"):
        return lambda: None
    hints = Hints(runner.bus)
    return waking.on_commit(lambda: reactor.callFromThread(hints.give))


class Hints:
    """Tells the outbox of commits: one hint at a time, and one more for all that came meanwhile."""

    def __init__(self, bus: Framework) -> None:
        self._bus = bus
        self._under_way = self._again = False

    def give(self) -> None:
        """Give a hint soon; it may get lost."""
        self._again = True
        if not self._under_way:
            self._under_way = True
            Deferred.fromCoroutine(self._give())

    async def _give(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._bus.publish(EventsCommitted())
        except EventError:
            pass  # It looks by itself every second.
        finally:
            self._under_way = False
