"""Every setting of Picket as one typed object.

`load()` reads, strongest first: PICKET_* variables (PICKET_WEB__LISTEN is `listen` of `[web]`), files named
by PICKET_…_FILE (for secrets), and picket.toml. Lists in variables are separated by commas, or JSON. Every
error is reported at once, each with what to do about it.
"""

import functools
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
)

PREFIX = "PICKET_"


class SettingsError(Exception):
    """All that is wrong with the settings; each of `problems` says which, what is wrong, and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Endpoint(NamedTuple):
    """Where to listen or to connect; port 0 means any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `HOST:PORT` or `[IPV6]:PORT`; raises ValueError."""
        host, colon, port = text.strip().rpartition(":")
        bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
        if not (bare and colon and port.isdecimal() and int(port) < 65536) or (":" in bare and bare == host):
            raise ValueError(f"{text!r} is not HOST:PORT; write for example 127.0.0.1:8080")
        return cls(bare, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _to_endpoint(value: Any) -> Any:
    return Endpoint.parse(value) if isinstance(value, str) else value


def _to_endpoint_or_none(value: Any) -> Any:
    return None if value == "" else _to_endpoint(value)


def _to_list(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [item.strip() for item in value.split(",") if item.strip()]


def _to_path_or_none(value: Any) -> Any:
    return None if value == "" else value


Address = Annotated[Endpoint, NoDecode, BeforeValidator(_to_endpoint)]
AddressOrOff = Annotated[Endpoint | None, NoDecode, BeforeValidator(_to_endpoint_or_none)]
Addresses = Annotated[list[Address], NoDecode, BeforeValidator(_to_list), Field(min_length=1)]
Numbers = Annotated[list[float], NoDecode, BeforeValidator(_to_list)]
Words = Annotated[list[str], NoDecode, BeforeValidator(_to_list)]
PathOrNone = Annotated[Path | None, BeforeValidator(_to_path_or_none)]


class Section(BaseModel):
    """A table of picket.toml; names that it does not have are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(Section):
    """The dashboard and API; `public_url` is how browsers reach them when a proxy stands before."""

    listen: Address = Endpoint("127.0.0.1", 8080)
    public_url: str = ""
    allowed_hosts: Words = []


class Limits(Section):
    """What an agent's connection may do before the gateway closes it with a coded error."""

    line_bytes: int = Field(default=8192, ge=256)
    frame_bytes: int = Field(default=1 << 20, ge=1024, le=1 << 20)
    frames_per_s: float = Field(default=50.0, gt=0)
    frames_in_flight: int = Field(default=64, ge=1)
    hello_s: float = Field(default=10.0, gt=0)
    silence_s: float = Field(default=90.0, gt=0)
    metrics: int = Field(default=10_000, ge=1)
    text_bytes: int = Field(default=1 << 16, ge=1)
    days_back: float = Field(default=14.0, gt=0, le=365)
    days_ahead: float = Field(default=2.0, gt=0, le=30)
    connections: int = Field(default=20_000, ge=1)
    strangers: int = Field(default=1000, ge=1)


class Agents(Section):
    """The gateway that agents connect to, its TLS files, and `gateway_id`, its name in events.

    `public_address` is how agents elsewhere reach it; without one, at the host that the browser reached.
    """

    listen: Address = Endpoint("127.0.0.1", 4166)
    public_address: AddressOrOff = None
    certificate: PathOrNone = None
    private_key: PathOrNone = None
    ca: PathOrNone = None
    gateway_id: str = ""
    limits: Limits = Limits()


class Broker(Section):
    """Where events and the stream travel; `memory` keeps them in this process and its journal."""

    kind: Literal["memory", "rabbitmq"] = "memory"
    urls: Annotated[Words, Field(repr=False)] = ["amqp://guest:guest@127.0.0.1:5672/%2F"]


class Store(Section):
    """Where time series are kept: `embedded` is a folder in the home; the rest is of Cassandra.

    Fewer copies may not answer than `consistency` has: a read that misses an acknowledged frame would lose it
    for good, when `compact` makes the rows of its hour. With `ca`, connections are by TLS.
    """

    kind: Literal["embedded", "cassandra", "memory"] = "embedded"
    contact_points: Words = ["127.0.0.1"]
    port: int = Field(default=9042, ge=1, le=65535)
    keyspace: str = Field(default="picket", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    replication: int = Field(default=1, ge=1)
    datacenter: str = Field(default="datacenter1", pattern=r"^[\w.-]+$")
    hold_s: float = Field(default=1.0, ge=0)
    mark_s: float = Field(default=600.0, ge=0)
    slack_s: float = Field(default=90.0, gt=0)
    consistency: Literal["LOCAL_QUORUM", "QUORUM", "EACH_QUORUM", "ALL"] = "LOCAL_QUORUM"
    request_s: float = Field(default=5.0, gt=0)
    retry_s: Numbers = [0.1, 0.5, 2.0]
    user: str = ""
    password: str = Field(default="", repr=False)
    ca: PathOrNone = None


Days = Annotated[int, Field(ge=1, le=3660)]
AccountId = Annotated[str, StringConstraints(pattern=r"^a[0-9a-f]{10}$")]


class AccountRetention(Section):
    """Days of one account; those that are left out are the usual ones."""

    raw_days: Days | None = None
    five_minutes_days: Days | None = None
    hour_days: Days | None = None


class Retention(Section):
    """Days that values, 5-minute rollups and 1-hour rollups are kept, and of which `accounts` otherwise."""

    raw_days: Days = 14
    five_minutes_days: Days = 120
    hour_days: Days = 1098
    accounts: dict[AccountId, AccountRetention] = {}


class Compact(Section):
    """How `compact` works: on hours that ended `after_s` ago, looking every `every_s`.

    An hour that got frames since the last look waits for the next. `share` of the time of one core is what
    decoding may take; `at_once` passes share it.
    """

    after_s: float = Field(default=600.0, ge=0)
    every_s: float = Field(default=30.0, gt=0)
    share: float = Field(default=0.5, gt=0, le=1)
    at_once: int = Field(default=16, ge=1, le=100)


class Database(Section):
    """The relational database: empty for SQLite under the home, else mysql:// or postgres://."""

    url: str = Field(default="", repr=False, pattern=r"^$|^(sqlite|mysql|postgres)://")


class Search(Section):
    """The Solr core, such as http://127.0.0.1:8983/solr/picket; empty: the relational database searches."""

    solr_url: str = Field(default="", pattern=r"^$|^https?://")


class Rpc(Section):
    """Where each interface of rpc/picket.thrift answers: a service listens on the first, clients try all."""

    directory: Addresses = [Endpoint("127.0.0.1", 4171)]
    query: Addresses = [Endpoint("127.0.0.1", 4172)]
    live: Addresses = [Endpoint("127.0.0.1", 4173)]


class Live(Section):
    """The HTTP endpoint of Server-Sent Events that `web` passes browsers on to."""

    listen: Address = Endpoint("127.0.0.1", 4174)


class StatsSection(Section):
    """Where a process shows its own counters over HTTP; empty for nowhere."""

    listen: AddressOrOff = None


class Mail(Section):
    """The SMTP server that mail goes out by; `sender` empty: picket@ and this host's name."""

    host: str = "localhost"
    port: int = Field(default=25, ge=1, le=65535)
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password: str = Field(default="", repr=False)
    sender: str = ""


class Log(Section):
    """What a process says on standard error, from `level` on.

    `format` empty: `human` on a terminal, else `json`. `kept_lines`: how many lesser lines of a request,
    message or call are kept until it is known whether it fails; 0: none. Errors are also mailed to
    `mail_to`, one mail per `mail_interval_s` at most, and handed to Sentry where there is a DSN.
    """

    format: Literal["", "human", "json"] = ""
    level: Literal["debug", "info", "warn", "error", "critical"] = "warn"
    kept_lines: int = Field(default=200, ge=0, le=10_000)
    mail_to: Words = []
    mail_interval_s: float = Field(default=300.0, ge=1)
    sentry_dsn: str = Field(default="", repr=False, pattern=r"^$|^https?://[^@/]+@[^/]+/")


class Watchdog(Section):
    """When a service is said to be behind: `lag` messages wait for it."""

    lag: int = Field(default=1000, ge=1)


def default_home() -> Path:
    """`$XDG_DATA_HOME/picket`, or ~/.local/share/picket."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "picket"


class Settings(Section):
    """All settings. Made by `load()`; tests make it from values: `Settings.model_validate({"home": …})`."""

    home: Path = Field(default_factory=default_home)
    secret_key: str = Field(default="", repr=False)
    web: Web = Web()
    agents: Agents = Agents()
    broker: Broker = Broker()
    store: Store = Store()
    retention: Retention = Retention()
    compact: Compact = Compact()
    database: Database = Database()
    search: Search = Search()
    rpc: Rpc = Rpc()
    live: Live = Live()
    stats: StatsSection = StatsSection()
    watchdog: Watchdog = Watchdog()
    log: Log = Log()
    mail: Mail = Mail()

    @model_validator(mode="after")
    def _late_frames_find_their_hour(self) -> Self:
        days_back = self.agents.limits.days_back
        of_accounts = (own.raw_days for own in self.retention.accounts.values())
        raw_days = min(filter(None, (self.retention.raw_days, *of_accounts)))
        if days_back > raw_days:
            raise ValueError(
                f"agents.limits.days_back: frames of {days_back:g} days ago would be accepted, but values "
                f"are kept for {raw_days} (retention.raw_days); lower the one or raise the other"
            )
        return self


class _FromEnvironment(BaseSettings, Settings):
    """Settings whose constructor also reads PICKET_* variables and PICKET_…_FILE files."""

    model_config = ConfigDict(extra="forbid", frozen=True) | {  # type: ignore[assignment]
        "env_prefix": PREFIX,
        "env_nested_delimiter": "__",
    }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_named: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables, then files that they name, then the values given (those of picket.toml)."""
        environment = EnvSettingsSource(settings_cls)
        files, _problems = _secret_files(os.environ)
        plain = {name: value for name, value in environment.env_vars.items() if not name.endswith("_file")}
        environment.env_vars = files | plain
        return environment, init_settings


@functools.cache
def load() -> Settings:
    """The settings of this process, read once; raises SettingsError with every problem at once."""
    values, problems = _toml(os.environ)
    problems += _secret_files(os.environ)[1] + _unknown_variables(os.environ)
    try:
        found = _FromEnvironment(**values)
    except ValidationError as error:
        problems += [_problem(entry) for entry in error.errors()]
    except ValueError as error:
        problems.append(f"PICKET_* variables: {error}; mend or unset it")
    if problems:
        raise SettingsError(problems)
    return found


def _toml(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    path = config_file(environ)
    if path is None:
        return {}, []
    try:
        return tomllib.loads(path.read_text()), []
    except OSError as error:
        return {}, [f"{path}: cannot be read ({error.strerror}); mend the file or PICKET_CONFIG"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [f"{path}: not TOML ({error}); mend the file"]


def config_file(environ: Mapping[str, str]) -> Path | None:
    """The picket.toml to read: PICKET_CONFIG (which must exist), else the home's, this folder's, or None."""
    if named := environ.get("PICKET_CONFIG"):
        return Path(named)
    home = environ.get("PICKET_HOME")
    places = [Path(home if home else default_home()) / "picket.toml", Path("picket.toml")]
    return next((path for path in places if path.is_file()), None)


def _secret_files(environ: Mapping[str, str]) -> tuple[dict[str, str | None], list[str]]:
    """Values of PICKET_…_FILE variables by the (lower-case) variable that they stand for, and problems."""
    found: dict[str, str | None] = {}
    problems = []
    for name, path in environ.items():
        if name.startswith(PREFIX) and name.endswith("_FILE"):
            try:
                found[name.removesuffix("_FILE").lower()] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{name}: {path} cannot be read ({error}); name a readable file")
    return found, problems


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A variable with `__` is meant for a section: one that does not exist is a slip of the pen."""
    sections = {name.upper() for name in Settings.model_fields}
    nested = [name for name in environ if name.startswith(PREFIX) and "__" in name]
    return [
        f"{name}: there is no such section; the sections are {', '.join(sorted(sections)).lower()}"
        for name in nested
        if name.removeprefix(PREFIX).split("__")[0] not in sections
    ]


def _problem(entry: Any) -> str:
    path = [str(part) for part in entry["loc"] if not isinstance(part, int)]
    message: str = entry["msg"].removeprefix("Value error, ")
    if not path:
        return message
    variable = PREFIX + "__".join(path).upper()
    if entry["type"] == "extra_forbidden":
        return f"{'.'.join(path)}: there is no such setting; take it out of picket.toml or unset {variable}"
    return f"{'.'.join(path)}: {message}; set it in picket.toml or by {variable}"
