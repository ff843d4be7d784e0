"""RabbitMQ, from Debian: one node with an epmd of its own, both on loopback."""

import os
import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import ClassVar

from ops.engines import ports as loopback
from ops.engines.engine import FILES, SPACE, Engine, Place, Running, program
from ops.engines.processes import Process, run, spawn

SCRIPTS = "/usr/lib/rabbitmq/bin"  # Debian's own wrappers in /usr/sbin insist on one shared instance.
NODE = "picket@localhost"


@dataclass(frozen=True)
class RabbitMQ(Engine):
    """A RabbitMQ node. Publishers are blocked when the disk has less than `disk_free_limit_bytes` left."""

    name: ClassVar[str] = "rabbitmq"
    debian: ClassVar[tuple[str, ...]] = ("rabbitmq-server",)
    port_names: ClassVar[tuple[str, ...]] = ("amqp", "distribution", "epmd")

    disk_free_limit_bytes: int = 2_000_000_000

    def missing(self) -> list[str]:
        """The server's programs that are not here."""
        return [name for name in ("rabbitmq-server", "epmd") if not program(name, SCRIPTS)]

    def launch(self, place: Place) -> list[Process]:
        """epmd first: a node refuses to boot without one."""
        home, ports = place.home, place.ports
        _write_config(place, self._limit(home))
        env = _environment(place)
        epmd = [program("epmd"), "-address", loopback.HOST, "-port", str(ports["epmd"])]
        helper = spawn(epmd, log=home / "epmd.log", cwd=home, env=env)
        _await_port(ports["epmd"])
        server = spawn([program("rabbitmq-server", SCRIPTS)], log=home / "log", cwd=home, env=env)
        return [server, helper]

    def _limit(self, home: Path) -> int:
        """Never so much that the broker would refuse its first message on a machine that is short of disk."""
        return min(self.disk_free_limit_bytes, shutil.disk_usage(home).free // 2)

    def ask(self, running: Running) -> None:
        """Log in over AMQP and open a channel."""
        import pika

        # pika logs every attempt at length; a closed port is not worth one.
        socket.create_connection((running.host, running.port), timeout=2).close()
        parameters = pika.URLParameters(self.url(running) + "?socket_timeout=2&connection_attempts=1")
        with pika.BlockingConnection(parameters) as connection:
            connection.channel()

    def url(self, running: Running, space: str = SPACE) -> str:
        """The AMQP URL of vhost `space`."""
        return f"amqp://{running.user}:{running.password}@{running.host}:{running.port}/{space}"

    def add_space(self, running: Running, space: str) -> None:
        """Make the vhost `space`, open to our user."""
        if space == SPACE:
            return
        control(
            running,
            "eval",
            f'case rabbit_vhost:exists(<<"{space}">>) of true -> ok; '
            f'false -> rabbit_vhost:add(<<"{space}">>, <<"{SPACE}">>) end, '
            f'rabbit_auth_backend_internal:set_permissions(<<"{SPACE}">>, <<"{space}">>, '
            f'<<".*">>, <<".*">>, <<".*">>, <<"{SPACE}">>).',
        )


def control(running: Running, *command: str) -> str:
    """Run `rabbitmqctl` on a started node, e.g. `control(running, "list_queues", "-p", vhost)`."""
    place = Place(Path(running.home), running.ports, running.password)
    return run(
        [program("rabbitmqctl", SCRIPTS), "-q", "-n", NODE, *command], cwd=place.home, env=_environment(place)
    )


def settle(running: Running) -> None:
    """Write down which quorum queues there are; the node itself does so a second after a declaration.

    One that was declared after that has no leader ever again when the node is killed (seen with 3.10.8).
    """
    control(running, "eval", "[dets:sync(Table) || Table <- dets:all()].")


def _write_config(place: Place, limit: int) -> None:
    template = Template((FILES / "rabbitmq" / "rabbitmq.conf").read_text())
    values = {"space": SPACE, "password": place.password, "disk_free_limit_bytes": limit}
    home = place.home
    (home / "rabbitmq.conf").write_text(template.substitute(place.ports, **values))
    (home / "enabled_plugins").write_text("[].\n")
    cookie = home / ".erlang.cookie"
    if not cookie.exists():
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(32))
        cookie.chmod(0o400)


def _environment(place: Place) -> dict[str, str]:
    """Every path and port that would else be one for the whole machine."""
    home, ports = place.home, place.ports
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
    return inherited | {
        "HOME": str(home),  # The Erlang cookie is kept there.
        "ERL_EPMD_ADDRESS": loopback.HOST,
        "ERL_EPMD_PORT": str(ports["epmd"]),
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_DIST_PORT": str(ports["distribution"]),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "logs"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        # Without it a shell stands between us and the node, and our pid would be the shell's.
        "RUNNING_UNDER_SYSTEMD": "true",
        # No spinning schedulers: the machine is shared with the clients.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
        " +sbwt none +sbwtdcpu none +sbwtdio none",
    }


def _await_port(port: int) -> None:
    """epmd opens its port within milliseconds; the node, which needs it, looks for it at once."""
    for _ in range(100):
        with socket.socket() as probe:
            if not probe.connect_ex((loopback.HOST, port)):
                return
        time.sleep(0.05)
