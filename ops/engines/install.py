"""Brings engines here: Debian packages, and jars through Maven into a cache outside the checkout."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ops.engines.errors import EngineError
from ops.engines.processes import is_root, run, say

POLICY = Path("/usr/sbin/policy-rc.d")
BROWSER = ("chromium", "chromium-driver")  # No engine, but the tests need it just as much.
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def debian(packages: Sequence[str]) -> None:
    """Install those of `packages` that are not there, without starting any server."""
    wanted = [package for package in packages if not _has(package)]
    if not wanted:
        return
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted]
    if not shutil.which("apt-get"):
        raise EngineError(
            f"this machine has no apt-get: install by hand what Debian calls {' '.join(wanted)}"
        )
    if not is_root():
        raise EngineError(f"only root may install packages; run: sudo {' '.join(command)}")
    say(f"installing {' '.join(wanted)}")
    with _no_server_starts():
        try:
            _apt(command)
        except EngineError:
            _apt(["apt-get", "update", "-q"])
            _apt(command)


def _has(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    if not shutil.which("dpkg-query"):
        return False
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def _apt(command: Sequence[str]) -> None:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run([*command, "-o", "DPkg::Lock::Timeout=600"], cwd=Path("/"), env=env)


@contextmanager
def _no_server_starts() -> Iterator[None]:
    """Debian starts servers as it installs them, on the usual ports; ours run elsewhere: deny it."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)


def cache() -> Path:
    """Where fetched jars are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "picket" / "engines"


def jars(name: str, version: str) -> Path:
    """The folder that holds the jars of engine `name`; it exists only when they are complete."""
    return cache() / f"{name}-{version}"


def maven(pom: Path, folder: Path) -> None:
    """Fetch what `pom` names, and all that those need, into `folder`; nothing to do when that exists."""
    if folder.exists():
        return
    say(f"fetching {folder.name}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    fetch = [
        "mvn",
        "-q",
        "-B",
        "-f",
        str(pom),
        COPY_JARS,
        "-DincludeScope=runtime",
        f"-DoutputDirectory={unfinished}",
    ]
    try:
        run(fetch, cwd=folder.parent)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
