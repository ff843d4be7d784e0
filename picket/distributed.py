"""`picket gateway`, `picket web` and `picket run`: the product's processes, on RabbitMQ and Cassandra."""

from collections.abc import Sequence
from functools import partial

from picket import process, relational, wiring
from picket.errors import PicketError
from picket.reactor import Reactor
from picket.settings import Settings
from picket.web import PassedOn, Web
from services.registry import UnknownService, find
from services.runner import Runner


def run_gateway(settings: Settings, *, verbose: bool) -> int:
    """The gateway, until it is told to stop; the exit code."""
    demand_a_broker(settings)
    return process.serve(partial(GatewayProcess, settings), settings, verbose=verbose)


def run_web(settings: Settings, *, verbose: bool) -> int:
    """The pages and the API, until they are told to stop; the exit code."""
    demand_a_broker(settings)
    relational.set_up(settings)
    return process.serve(partial(WebProcess, settings), settings, verbose=verbose)


def run_services(settings: Settings, names: Sequence[str], *, verbose: bool) -> int:
    """Services of these names, until they are told to stop; the exit code."""
    demand_a_broker(settings)
    try:
        classes = [find(name) for name in names]
    except UnknownService as error:
        raise PicketError(str(error)) from error
    if any(cls.uses_django for cls in classes):
        relational.set_up(settings)
    return process.serve(
        lambda reactor: ServicesProcess(Runner(classes, settings, reactor), reactor),
        settings,
        verbose=verbose,
    )


def demand_a_broker(settings: Settings) -> None:
    """Several processes need a broker between them; raises PicketError."""
    if settings.broker.kind == "memory":
        raise PicketError(
            "setting broker.kind: memory joins no processes; set it to rabbitmq, or run `picket up`"
        )


class ServicesProcess:
    """One or more services."""

    def __init__(self, runner: Runner, reactor: Reactor) -> None:
        self._runner = runner
        self._reactor = reactor

    async def start(self) -> None:
        """Start them, and say so once all are up, however often that takes."""
        await self._runner.start()
        if self._runner.uses_django:
            wiring.hint_the_outbox(self._reactor, self._runner)
        await self._runner.all_up()
        ready(self._runner.name)

    async def stop(self) -> None:
        """Drain and stop them."""
        await self._runner.stop()


class GatewayProcess:
    """The endpoint that agents connect to."""

    def __init__(self, settings: Settings, reactor: Reactor) -> None:
        self._settings = settings
        self._reactor = reactor
        self._runner = Runner([], settings, reactor, name="gateway")
        self._gateway = wiring.gateway(settings, reactor, self._runner)

    async def start(self) -> None:
        """Reach the broker first: nothing is accepted that could not be kept."""
        await self._runner.start()
        files = await wiring.tls_files(self._settings)
        await self._gateway.start(self._reactor, self._settings.agents.listen, files)
        ready("gateway")

    async def stop(self) -> None:
        """Publish what was accepted, then close."""
        await self._gateway.stop()
        await self._runner.stop()


class WebProcess:
    """The dashboard and the REST API."""

    def __init__(self, settings: Settings, reactor: Reactor) -> None:
        self._reactor = reactor
        self._runner = Runner([], settings, reactor, name="web")
        live = PassedOn(reactor, lambda: settings.live.listen, b"/live")
        self._web = Web(reactor, settings.web.listen, live, self._runner.stats("web"))

    async def start(self) -> None:
        """Reach the broker, then serve."""
        await self._runner.start()
        wiring.back_the_web(self._reactor, self._runner)
        self._web.start()
        ready(f"web at http://{self._web.address}")

    async def stop(self) -> None:
        """Finish the requests under way."""
        await self._web.stop()
        await self._runner.stop()


def ready(what: str) -> None:
    """The line by which those who started this process know that it works."""
    print(f"picket {what}: ready", flush=True)
