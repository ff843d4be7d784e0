"""`picket up`: everything wired into one process, with an agent of this machine as its child."""

from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from twisted.internet.threads import deferToThread
from twisted.logger import Logger

from agent_gateway.gateway import Gateway
from picket import home, process, relational, tls, wiring
from picket.child import AgentProcess
from picket.reactor import Reactor
from picket.settings import Endpoint, Live, Settings
from picket.store import migrate_store
from picket.web import PassedOn, Web
from services.live import Live as LiveService
from services.registry import SERVICES, find
from services.runner import Runner

ANYWHERE_LOCAL = Endpoint("127.0.0.1", 0)


def run(settings: Settings, *, agent: bool, verbose: bool) -> int:
    """Run it in this terminal until Ctrl-C; the exit code."""
    lock = home.lock(settings.home)
    relational.set_up(settings)
    with lock:
        build = partial(Standalone, settings, agent=agent)
        return process.serve(build, settings, verbose=verbose)


class Standalone:
    """Every service, the gateway and the web, over the memory broker and SQLite in `settings.home`."""

    log = Logger(namespace="picket")

    def __init__(self, settings: Settings, reactor: Reactor, *, agent: bool) -> None:
        self._settings = settings
        self._reactor = reactor
        self._with_agent = agent
        inside = settings.model_copy(update={"live": Live(listen=ANYWHERE_LOCAL)})
        self._runner = Runner([find(name) for name in SERVICES], inside, reactor, listen=False, name="picket")
        self._undo = AsyncExitStack()

    async def start(self) -> None:
        """Migrate, start the services, then let agents and browsers in, and say where."""
        await deferToThread(relational.migrate)
        if self._settings.store.kind == "cassandra":
            await migrate_store(
                self._settings, self._reactor, lambda line: self.log.info("{line}", line=line)
            )
        self._undo.push_async_callback(self._runner.stop)
        await self._runner.start()
        gateway, files = await self._start_gateway()
        web = self._start_web(gateway.port)
        if self._with_agent:
            arguments = await deferToThread(self._thd_agent, gateway.port, files.ca)
            child = AgentProcess(self._reactor, arguments, self._settings.home / "agent.log")
            self._undo.push_async_callback(child.stop)
            child.start()
        link = await deferToThread(relational.sign_in_link, self._settings, str(web.address))
        greet(web.address, Endpoint(self._settings.agents.listen.host, gateway.port), link)

    async def stop(self) -> None:
        """What came last goes first: no new frames, no new requests, then the services."""
        await self._undo.aclose()

    def _start_web(self, agents_port: int) -> Web:
        wiring.back_the_web(self._reactor, self._runner, agents_port=agents_port)
        live = PassedOn(self._reactor, self._live_address, b"/live")
        web = Web(self._reactor, self._settings.web.listen, live, self._runner.stats("web"))
        web.start()
        self._undo.push_async_callback(web.stop)
        return web

    def _live_address(self) -> Endpoint | None:
        """Where the service `live` listens, while it does."""
        lives = [service for service in self._runner.services if isinstance(service, LiveService)]
        return lives[0].address if lives else None

    async def _start_gateway(self) -> tuple[Gateway, tls.TlsFiles]:
        files = await wiring.tls_files(self._settings)
        gateway = wiring.gateway(self._settings, self._reactor, self._runner)
        await gateway.start(self._reactor, self._settings.agents.listen, files)
        self._undo.push_async_callback(gateway.stop)
        return gateway, files

    def _thd_agent(self, port: int, ca: Path) -> list[str]:
        """The arguments of this machine's own agent; its key is made at the first start."""
        folder = self._settings.home / "agent"
        folder.mkdir(exist_ok=True, mode=0o700)
        key, secret = folder / "key", folder / "secret"
        if not secret.exists():
            made = relational.create_key("this machine", "", ["agent"])
            key.write_text(made.key)
            home.write_secret(secret, made.secret)
        return [
            *("--endpoint", f"localhost:{port}", "--ca", str(ca), "--state", str(folder)),
            *("--key", key.read_text(), "--secret-file", str(secret), "--end-with-input"),
        ]


def greet(web: Endpoint, agents: Endpoint, link: str) -> None:
    """Say that it is ready, and where; this is data, so it goes to standard output."""
    print(
        "\nPicket is ready.\n"
        f"  pages    http://{web}/\n"
        f"  agents   {agents}\n"
        f"  sign in  {link}\n"
        "           once, within half an hour; `picket sign-in-link` makes another\n"
        "Ctrl-C stops it; the next start finds all data again.",
        flush=True,
    )
