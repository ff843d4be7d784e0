"""Cassandra 5, whose jars Maven fetches: one node on loopback."""

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import ClassVar

from ops.engines import install
from ops.engines.engine import FILES, SPACE, Engine, Place, Running
from ops.engines.errors import EngineError
from ops.engines.java import PACKAGE, java, packages
from ops.engines.processes import Process, spawn

VERSION = "5.0.5"  # The same as in pom.xml.
# Cassandra reaches into the JDK; these are the doors that it needs open on Java 17.
EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "jdk.unsupported/sun.misc",
    "jdk.attach/sun.tools.attach",
)
OPENS = (
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang.reflect",
    "java.base/java.lang",
    "java.base/java.util",
)
# As in Cassandra's own jvm17-server.options, but for smaller regions: our heaps are small.
COLLECTOR = (
    "-XX:+UseG1GC",
    "-XX:+ParallelRefProcEnabled",
    "-XX:MaxTenuringThreshold=2",
    "-XX:G1HeapRegionSize=4m",
)
OPTIONS = bytes([4, 0, 0, 0, 5, 0, 0, 0, 0])  # A CQL v4 frame: flags, stream, opcode OPTIONS, no body.
SUPPORTED = 6
ROOM_BYTES = 256 << 20
"""What has to be free for a start. One that cannot write the head of a new segment of its commit log leaves
it without, and where there are two of these no later start can read the log."""


@dataclass(frozen=True)
class Cassandra(Engine):
    """A Cassandra node with a heap of `heap_mb` (MiB), without authentication."""

    name: ClassVar[str] = "cassandra"
    port_names: ClassVar[tuple[str, ...]] = ("cql", "storage")

    heap_mb: int = 1024

    @property
    def debian(self) -> tuple[str, ...]:  # type: ignore[override]
        """Java and Maven, unless they are here in some other form."""
        return packages()

    def missing(self) -> list[str]:
        """Java or the jars."""
        return ([] if java() else [PACKAGE]) + (
            [] if _jars().exists() else [f"the jars of Cassandra {VERSION}"]
        )

    def install(self) -> None:
        """Java and Maven from Debian, the jars through Maven."""
        if not self.installed():
            super().install()
            install.maven(FILES / "cassandra" / "pom.xml", _jars())

    def launch(self, place: Place) -> list[Process]:
        """One JVM; all its folders are under `home`. EngineError when there is too little space."""
        home = place.home
        if (free := shutil.disk_usage(home).free) < ROOM_BYTES:
            raise EngineError(f"{home} has {free >> 20} MB left; Cassandra needs {ROOM_BYTES >> 20} to start")
        template = Template((FILES / "cassandra" / "cassandra.yaml").read_text())
        (home / "cassandra.yaml").write_text(template.substitute(place.ports, home=home))
        command = [java(), *self._options(home), "org.apache.cassandra.service.CassandraDaemon"]
        return [spawn(command, log=home / "log", cwd=home)]

    def _options(self, home: Path) -> list[str]:
        return [
            *(part for name in EXPORTS for part in ("--add-exports", f"{name}=ALL-UNNAMED")),
            *(part for name in OPENS for part in ("--add-opens", f"{name}=ALL-UNNAMED")),
            "-Djdk.attach.allowAttachSelf=true",
            "-Dio.netty.tryReflectionSetAccessible=true",
            f"-Xms{self.heap_mb}m",
            f"-Xmx{self.heap_mb}m",
            *COLLECTOR,
            "-XX:+ExitOnOutOfMemoryError",
            f"-Dcassandra.config={(home / 'cassandra.yaml').as_uri()}",
            f"-Dcassandra.storagedir={home}",
            "-Dcassandra-foreground=yes",
            # There is nobody to gossip with.
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=100",
            f"-Dlogback.configurationFile={FILES / 'cassandra' / 'logback.xml'}",
            "-cp",
            f"{_jars()}/*",
        ]

    def ask(self, running: Running) -> None:
        """Send an OPTIONS frame and expect SUPPORTED: Cassandra opens the port when it can serve requests."""
        with socket.create_connection((running.host, running.port), timeout=2) as connection:
            connection.sendall(OPTIONS)
            header = connection.recv(9)
        if len(header) < 9 or header[4] != SUPPORTED:
            raise ConnectionError(f"unexpected answer to OPTIONS: {header!r}")

    def url(self, running: Running, space: str = SPACE) -> str:
        """The contact point, for people to read: the driver takes host, port and keyspace one by one."""
        return f"cassandra://{running.host}:{running.port}/{space}"

    def add_space(self, running: Running, space: str) -> None:
        """Nothing: the store makes its keyspace together with its tables."""


def _jars() -> Path:
    return install.jars("cassandra", VERSION)
