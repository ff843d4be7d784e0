"""Several engines at once in one state folder, and the settings file that points at them."""

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ops.engines.engine import SPACE, Running, recorded, start_all
from ops.engines.registry import ENGINES


def start(names: Collection[str], state: Path) -> dict[str, Running]:
    """Start those that don't run yet and return all of them (see `start_all`).

    Then `state` holds `picket.toml`, settings that point at them, and `engines.json`, all there is to know.
    """
    # In the order of the registry: the slowest first.
    started = start_all([ENGINES[name]() for name in ENGINES if name in names], state)
    _write(state)
    return started


def stop(names: Collection[str], state: Path) -> list[str]:
    """Stop those that run; return their names. Their data stay."""
    stopped = [name for name in running(state) if name in names]
    _end([engine for engine in _recorded(state) if engine.name in names])
    if state.exists():
        _write(state)
    return stopped


def _end(engines: Sequence[Running]) -> None:
    """Side by side, as some take seconds to put their data away."""
    with ThreadPoolExecutor(len(ENGINES)) as pool:
        list(pool.map(lambda engine: ENGINES[engine.name]().stop(engine), engines))


def discard(root: Path) -> None:
    """Stop every engine in `root` and in the folders of `root`/private; delete all with their data."""
    homes = [path.parent for pattern in ("*", "private/*/*") for path in root.glob(f"{pattern}/running.json")]
    _end([engine for engine in map(recorded, homes) if engine])
    for folder in [*(home.resolve() for home in homes), root]:
        shutil.rmtree(folder, ignore_errors=True)


def running(state: Path) -> dict[str, Running]:
    """The engines whose server process lives, by name."""
    return {engine.name: engine for engine in _recorded(state) if engine.alive()}


def _recorded(state: Path) -> Iterator[Running]:
    for name in ENGINES:
        if found := recorded(state / name):
            yield found


def _write(state: Path) -> None:
    now = running(state)
    addresses = {name: asdict(engine) | {"url": ENGINES[name]().url(engine)} for name, engine in now.items()}
    _write_private(state / "engines.json", json.dumps(addresses, indent=1) + "\n")
    _write_private(state / "picket.toml", settings(now))


def _write_private(path: Path, text: str) -> None:
    """Both files hold passwords."""
    path.touch(mode=0o600)
    path.write_text(text)


def settings(engines: dict[str, Running]) -> str:
    """The text of a `picket.toml` that uses these engines; PostgreSQL only where there is no MariaDB."""
    sections: dict[str, dict[str, object]] = {}
    if rabbitmq := engines.get("rabbitmq"):
        sections["broker"] = {"kind": "rabbitmq", "urls": [_url(rabbitmq)]}
    if cassandra := engines.get("cassandra"):
        contact = {"contact_points": [cassandra.host], "port": cassandra.port}
        sections["store"] = {"kind": "cassandra", **contact, "keyspace": SPACE, "replication": 1}
    if database := engines.get("mariadb") or engines.get("postgresql"):
        sections["database"] = {"url": _url(database)}
    if solr := engines.get("solr"):
        sections["search"] = {"solr_url": _url(solr)}
    return "\n".join(_section(name, values) for name, values in sections.items())


def _section(name: str, values: dict[str, object]) -> str:
    # JSON writes these strings, numbers and lists as TOML does.
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


def _url(engine: Running) -> str:
    return ENGINES[engine.name]().url(engine)
