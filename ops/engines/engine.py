"""What engines have in common: each installs, starts in a folder, waits until it answers, stops by pid."""

import hashlib
import json
import os
import secrets
import shutil
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from ops.engines import install, ports, processes
from ops.engines.errors import EngineError
from ops.engines.processes import Process

FILES = Path(__file__).with_name("files")
ELSEWHERE = Path("/var/lib/picket-engines")  # For servers whose user may not enter the state folder.
SPACE = "picket"  # The vhost, database, core or keyspace that settings point at, and the user's name.


@dataclass(frozen=True, slots=True)
class Running:
    """A started engine: where it answers, who may do everything there, its processes and its log."""

    name: str
    host: str
    ports: dict[str, int]
    user: str
    password: str
    processes: list[Process]
    home: str
    log: str

    @property
    def port(self) -> int:
        """The port that clients use."""
        return next(iter(self.ports.values()))

    @property
    def pid(self) -> int:
        """The server itself (a helper such as epmd comes after it)."""
        return self.processes[0].pid

    def alive(self) -> bool:
        """Whether the server process is still there; says nothing of whether it answers."""
        return self.processes[0].find() is not None

    def save(self) -> None:
        """Write the record that `recorded` reads; it holds a password, so only its owner may read it."""
        path = Path(self.home) / "running.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=1))


def recorded(home: Path) -> Running | None:
    """What was last started in `home`, alive or not."""
    path = home / "running.json"
    if not path.exists():
        return None
    fields = json.loads(path.read_text())
    return Running(**fields | {"processes": [Process(*p) for p in fields["processes"]]})


@dataclass(frozen=True, slots=True)
class Place:
    """Where to start: a folder of its own, its reserved ports by name, and our user's password."""

    home: Path
    ports: Mapping[str, int]
    password: str


class Engine(ABC):
    """One kind of server. Subclasses say how it is launched and asked; this says what happens around that."""

    name: ClassVar[str]
    debian: ClassVar[tuple[str, ...]]
    port_names: ClassVar[tuple[str, ...]]  # The clients' port comes first.
    runs_as: ClassVar[str] = ""  # The system user that root has to become for this server.
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_within_s: ClassVar[float] = 30
    ready_within_s: ClassVar[float] = 180

    @abstractmethod
    def missing(self) -> list[str]:
        """What is not installed, in words; empty when it can start."""

    @abstractmethod
    def launch(self, place: Place) -> list[Process]:
        """Make what the place lacks, start the server there and return its processes, the server first."""

    @abstractmethod
    def ask(self, running: Running) -> None:
        """Ask it a real question in its own protocol; any exception means that it does not answer yet."""

    @abstractmethod
    def url(self, running: Running, space: str = SPACE) -> str:
        """Where clients find the vhost, keyspace, database or core called `space`, credentials included."""

    @abstractmethod
    def add_space(self, running: Running, space: str) -> None:
        """Make the vhost, keyspace, database or core `space` unless it is there."""

    def installed(self) -> bool:
        """Whether it can start on this machine."""
        return not self.missing()

    def install(self) -> None:
        """Bring it to this machine; quick when it is there. EngineError says what is missing."""
        install.debian(self.debian)

    def running(self, state: Path) -> Running | None:
        """What runs in `state`/NAME; it may not answer yet."""
        found = recorded(state / self.name)
        return found if found and found.alive() else None

    def begin(self, state: Path, held: ExitStack) -> Running:
        """Start it in `state`/NAME without waiting; its ports stay reserved until `held` closes.

        The ports are those of the last start there, if they are still free.
        """
        if missing := self.missing():
            raise EngineError(f"{self.name} is not installed ({', '.join(missing)}): run `make engines`")
        home = _own_folder(state / self.name, self.runs_as)
        before = recorded(home)
        if before:
            self.stop(before)
        numbers = held.enter_context(ports.reserved(self.port_names, before.ports if before else {}))
        password = before.password if before else secrets.token_urlsafe(18)
        log = home / "log"
        started = self.launch(Place(home, numbers, password))
        running = Running(self.name, ports.HOST, numbers, SPACE, password, started, str(home), str(log))
        running.save()
        return running

    def wait(self, running: Running) -> None:
        """Return when it answers; EngineError with the end of its log when it dies or takes too long."""
        deadline = time.monotonic() + self.ready_within_s
        while True:
            alive = running.alive()
            try:
                return self.ask(running)
            except Exception as error:
                if alive and time.monotonic() < deadline:
                    time.sleep(0.2)
                    continue
                late = f"did not answer within {self.ready_within_s:.0f} s ({error})"
                why = late if alive else "ended before it answered"
                log = processes.tail(Path(running.log))
                raise EngineError(f"{self.name} {why}. The end of {running.log}:\n{log}") from error

    def start(self, state: Path) -> Running:
        """Start it in `state`/NAME unless it runs there, and wait until it answers; see `start_all`."""
        return start_all([self], state)[self.name]

    def stop(self, running: Running) -> None:
        """End it and all that it started; harmless when it has ended before."""
        for process in running.processes:
            processes.end(process, self.stop_signal, self.stop_within_s)


def start_all(engines: Sequence[Engine], state: Path) -> dict[str, Running]:
    """Start in `state` those that don't run there, side by side; return all by name when each answers.

    When one fails, by EngineError, nothing that this call started is left.
    """
    started: dict[str, Running] = {}
    with ExitStack() as undo, ExitStack() as held:
        for engine in engines:
            if not (running := engine.running(state)):
                running = engine.begin(state, held)
                undo.callback(engine.stop, running)
            started[engine.name] = running
        for engine in engines:
            engine.wait(started[engine.name])
            engine.add_space(started[engine.name], SPACE)
        undo.pop_all()
    return started


def program(name: str, *places: str) -> str:
    """The path of a program, "" when it is not installed; server programs are often not on a user's PATH."""
    path = os.pathsep.join((*places, os.defpath, "/usr/sbin", os.environ.get("PATH", "")))
    return shutil.which(name, path=path) or ""


def _own_folder(home: Path, user: str) -> Path:
    """Make `home` for `user`; where that user may not go, a folder in ELSEWHERE that it links to."""
    home.parent.mkdir(parents=True, exist_ok=True)
    if not user or not processes.is_root():
        home.mkdir(mode=0o700, exist_ok=True)
        return home.resolve()
    if not home.exists() and not all(parent.stat().st_mode & 0o001 for parent in home.resolve().parents):
        place = ELSEWHERE / hashlib.sha256(str(home).encode()).hexdigest()[:12]
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.unlink(missing_ok=True)
        home.symlink_to(place)
    home.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(home, user)
    return home.resolve()
