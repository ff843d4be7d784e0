"""What both shapes of the product put together in the same way, out of the parts that a Runner has."""

import socket

from twisted.internet.threads import deferToThread

from agent_gateway.gateway import Gateway
from eventframework import sync
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
        publish=sync.publisher(runner.bus, reactor),
        agents_port=agents_port,
    )
