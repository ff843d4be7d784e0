"""The agent's settings: a file of `key value` lines, under what the command line says."""

from dataclasses import dataclass, fields
from pathlib import Path

from agent.wire import PORT

INHERITED = (
    *("local_plugins_path", "munin_plugins_path", "node_id_file", "ping_interval"),
    *("log_file", "pid_file", "resources"),
)
"""Keys of the original agent's file that mean nothing here."""


class ConfigError(Exception):
    """What is wrong, and where."""


@dataclass(frozen=True, slots=True)
class Config:
    """Where to send, as whom, and where to remember it. `interval` in seconds replaces what is assigned."""

    oauth_key: str = ""
    oauth_secret: str = ""
    endpoint: str = "localhost"
    endpoint_port: int = PORT
    ca: str = ""
    server_name: str = ""
    state: str = "/var/lib/picket-agent"
    interval: float = 0.0
    log_level: str = "info"

    def check(self) -> None:
        """Raises ConfigError for what is missing."""
        missing = [name for name in ("oauth_key", "oauth_secret") if not getattr(self, name)]
        if missing:
            raise ConfigError(f"missing: {' and '.join(missing)}")
        if self.ca and not Path(self.ca).is_file():
            raise ConfigError(f"there is no file {self.ca} of authorities to trust")


def read(path: Path) -> dict[str, str]:
    """The keys of a file; `#` begins a comment line. Raises ConfigError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    pairs = (line.split(None, 1) for line in map(str.strip, lines) if line and not line.startswith("#"))
    return {words[0]: words[1] if len(words) > 1 else "" for words in pairs}


def make(values: dict[str, str]) -> Config:
    """The settings from text values. Raises ConfigError."""
    kinds = {field.name: field.type for field in fields(Config)}
    unknown = [name for name in values if name not in kinds and name not in INHERITED]
    if unknown:
        raise ConfigError(f"unknown: {', '.join(unknown)}")
    try:
        return Config(**{name: kinds[name](values[name]) for name in kinds if name in values})  # type: ignore[operator]
    except ValueError as error:
        raise ConfigError(f"not a number: {error}") from error


def endpoint(text: str) -> dict[str, str]:
    """The keys that `HOST:PORT` or `HOST` stands for. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return {"endpoint": text.strip("[]")}
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f"{text!r} is not HOST:PORT")
    return {"endpoint": host.strip("[]"), "endpoint_port": port}
