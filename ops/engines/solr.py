"""Solr 9, whose jars Maven fetches: one node on loopback, its cores made from the files beside this."""

import json
import shutil
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ops.engines import install
from ops.engines.engine import FILES, SPACE, Engine, Place, Running
from ops.engines.java import PACKAGE, java, packages
from ops.engines.processes import Process, spawn

VERSION = "9.8.1"  # The same as in pom.xml.


@dataclass(frozen=True)
class Solr(Engine):
    """A Solr node with a heap of `heap_mb` (MiB), without authentication."""

    name: ClassVar[str] = "solr"
    port_names: ClassVar[tuple[str, ...]] = ("http",)

    heap_mb: int = 512

    @property
    def debian(self) -> tuple[str, ...]:  # type: ignore[override]
        """Java and Maven, unless they are here in some other form."""
        return packages()

    def missing(self) -> list[str]:
        """Java or the jars."""
        return ([] if java() else [PACKAGE]) + ([] if _jars().exists() else [f"the jars of Solr {VERSION}"])

    def install(self) -> None:
        """Java and Maven from Debian, the jars through Maven."""
        if not self.installed():
            super().install()
            install.maven(FILES / "solr" / "pom.xml", _jars())

    def launch(self, place: Place) -> list[Process]:
        """One JVM; every core takes its configuration from the config set that is copied here."""
        home = place.home
        (home / "solr.xml").write_text("<solr></solr>\n")
        shutil.copytree(FILES / "solr" / "conf", home / "configsets" / SPACE / "conf", dirs_exist_ok=True)
        command = [
            java(),
            f"-Xms{self.heap_mb}m",
            f"-Xmx{self.heap_mb}m",
            "-XX:+ExitOnOutOfMemoryError",
            "-Dsolr.security.manager.enabled=false",
            f"-Dsolr.log.dir={home}",
            "-cp",
            f"{_jars()}/*",
            str(FILES / "solr" / "Start.java"),
            str(home),
            str(place.ports["http"]),
        ]
        return [spawn(command, log=home / "log", cwd=home)]

    def ask(self, running: Running) -> None:
        """Search every core: the port is open before they are loaded."""
        _cores(running, action="STATUS")
        for core in Path(running.home).glob("*/core.properties"):
            _get(self.url(running, core.parent.name) + "/select", rows="0", q="*:*")

    def url(self, running: Running, space: str = SPACE) -> str:
        """The URL of core `space`."""
        return f"http://{running.host}:{running.port}/solr/{space}"

    def add_space(self, running: Running, space: str) -> None:
        """Make the core `space`."""
        if not _cores(running, action="STATUS", core=space)["status"][space]:
            _cores(running, action="CREATE", name=space, configSet=SPACE)


def _cores(running: Running, **parameters: str) -> dict[str, Any]:
    return _get(f"http://{running.host}:{running.port}/solr/admin/cores", **parameters)


def _get(url: str, **parameters: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(parameters)}", timeout=30) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def _jars() -> Path:
    return install.jars("solr", VERSION)
