"""The home of an embedded Picket: one folder for everything, which one process at a time lives in."""

import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar

from picket.errors import PicketError

T = TypeVar("T")


def lock(home: Path) -> TextIO:
    """Take the home for this process, as long as the returned file is open; raises PicketError."""
    lock = _writable(home, lambda: (home / "lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise PicketError(
            f"another picket already runs in {home}; stop it, or choose another --home"
        ) from error
    return lock


def secret_key(home: Path) -> str:
    """The installation's secret, made at the first start and kept in <home>/secret.key (0600)."""
    path = home / "secret.key"
    if not path.exists():
        _writable(home, lambda: write_secret(path, secrets.token_urlsafe(48)))
    return path.read_text().strip()


def _writable(home: Path, write: Callable[[], T]) -> T:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return write()
    except OSError as error:
        raise PicketError(
            f"cannot write to the home {home}: {error.strerror}; make it writable, or choose one by --home"
        ) from error


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
