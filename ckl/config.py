"""Where `ckl` finds its server and key: the environment, the user's file, the system's file, in this order.

The files have `key value` lines, `#` begins a comment: oauth_key, oauth_secret, and url (of the pages).
Those of the original client, /etc/cloudkick.conf and ~/.cloudkick.conf, are read as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_URL = "http://127.0.0.1:8080"


class ConfigError(Exception):
    """What is missing, and where it may be written."""


@dataclass(frozen=True)
class Config:
    """The server's address, without a slash at its end, and the API key."""

    url: str
    key: str
    secret: str


def load(environ: Mapping[str, str], home: Path, system: Path = Path("/etc")) -> Config:
    """The configuration; raises ConfigError."""
    found: dict[str, str] = {}
    for path in _files(environ, home, system):
        found |= _read(path)
    found |= {name: environ[f"CKL_{name.upper()}"] for name in NAMES if environ.get(f"CKL_{name.upper()}")}
    if missing := [name for name in ("oauth_key", "oauth_secret") if not found.get(name)]:
        raise ConfigError(
            f"no {' and no '.join(missing)}: write `{missing[0]} …` into {_user_file(environ, home)}, "
            f"or set CKL_{missing[0].upper()}; `picket keys create` makes a key"
        )
    return Config(found.get("url", DEFAULT_URL).rstrip("/"), found["oauth_key"], found["oauth_secret"])


NAMES = ("url", "oauth_key", "oauth_secret")


def _files(environ: Mapping[str, str], home: Path, system: Path) -> Iterator[Path]:
    """The weakest first."""
    yield from (system / "cloudkick.conf", system / "picket/ckl.conf", home / ".cloudkick.conf")
    yield _user_file(environ, home)


def _user_file(environ: Mapping[str, str], home: Path) -> Path:
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "picket/ckl.conf"


def _read(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    pairs = (line.split(None, 1) for line in lines if not line.lstrip().startswith("#"))
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2 and pair[0] in NAMES}
