"""What the agent remembers between runs: its node, the node's secret, a machine id where there is none."""

import fcntl
import json
import logging
import os
import time
from pathlib import Path
from typing import TextIO

MACHINE_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))

RUN_SEQS = 1 << 32
"""More frames than one run ever makes."""

log = logging.getLogger("agent.state")


class InUse(Exception):
    """Another agent has the folder."""


def lock(folder: Path) -> TextIO:
    """Make `folder` and take it for this process, as long as the file is open. Raises InUse and OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.fdopen(os.open(folder / "lock", os.O_WRONLY | os.O_CREAT, 0o600), "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InUse(f"another agent already runs on {folder}; stop it, or choose another --state") from error
    return file


class State:
    """The file `state.json` in `folder`, readable by nobody else. An unreadable one counts as empty."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "state.json"
        self._values: dict[str, str] = self._load()

    @property
    def node(self) -> str:
        """The node's id, empty before the first `accepted`."""
        return self._values.get("node", "")

    @property
    def node_secret(self) -> str:
        """The secret that shows that this is the node."""
        return self._values.get("node_secret", "")

    def machine(self) -> str:
        """What identifies this machine; made up once where the system has no id."""
        for path in MACHINE_FILES:
            if path.is_file() and (found := path.read_text().strip()):
                return found
        if "machine" not in self._values:
            self._save(machine=os.urandom(16).hex())
        return self._values["machine"]

    def bind(self, node: str, node_secret: str) -> None:
        """Remember which node this is; an empty secret leaves the old one."""
        self._save(node=node, **({"node_secret": node_secret} if node_secret else {}))

    def first_seq(self, kept: int) -> int:
        """Where this run begins to count: above `kept` and all that was ever used, whatever the clock is."""
        reserved = self._values.get("next_seq", "")
        used = int(reserved) if reserved.isdecimal() else 0
        first = max(kept + 1, used, int(time.time() * 1000))
        try:
            self._save(next_seq=str(first + RUN_SEQS))
        except OSError as error:
            log.error("%s cannot be written: %s", self._path, error)
        return first

    def _load(self) -> dict[str, str]:
        try:
            values = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}

    def _save(self, **values: str) -> None:
        if self._values | values == self._values:
            return
        self._values |= values
        new = self._path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self._values, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
