"""What the web app asks of the services behind it: `picket` installs it at start, tests install twins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import picket.settings
from webapp.errors import BackendUnavailable

T = TypeVar("T")


class TimeSeries(Protocol):
    """The blocking client of `TimeSeries` in rpc/picket.thrift, without the context argument.

    All raise rpc.errors.Refused or rpc.errors.Unavailable.
    """

    def query(self, account_id: str, node_id: str, query: Any) -> Any:
        """A `Series`."""

    def query_many(self, account_id: str, node_id: str, queries: Sequence[Any]) -> Sequence[Any]:
        """A `Series` for each query."""

    def rank(self, account_id: str, rank: Any) -> Any:
        """A `Ranked`, over a range."""

    def across(self, account_id: str, across: Any) -> Any:
        """A `Spread`."""

    def latest(self, account_id: str, node_id: str) -> Sequence[Any]:
        """A `CheckState` for each check and key of the node."""


class Live(Protocol):
    """The blocking client of `Live` in rpc/picket.thrift, without the context argument."""

    def rank(self, account_id: str, rank: Any) -> Any:
        """A `Ranked`, of newest values."""

    def snapshot(self, account_id: str, node_ids: list[str]) -> Sequence[Any]:
        """A `NodeSnapshot` for each of these nodes that has data; all of the account for an empty list."""


@dataclass
class _Installed:
    timeseries: TimeSeries | None = None
    live: Live | None = None
    agents_port: int = 0


_installed = _Installed()


def install(
    *,
    timeseries: TimeSeries | None = None,
    live: Live | None = None,
    agents_port: int = 0,
) -> None:
    """Say once, before the first request, who answers.

    `agents_port` is where a gateway in this process listens, 0 where there is none.
    """
    _installed.timeseries, _installed.live = timeseries, live
    _installed.agents_port = agents_port


def timeseries() -> TimeSeries:
    """The reader of time series; BackendUnavailable when none was installed."""
    return _demand(_installed.timeseries, "time series")


def live() -> Live:
    """The newest frames; BackendUnavailable when none was installed."""
    return _demand(_installed.live, "live data")


def agents_port() -> int:
    """The port that agents connect to: of the gateway in this process, else of the settings."""
    return _installed.agents_port or picket.settings.load().agents.listen.port


def _demand(found: T | None, what: str) -> T:
    if found is None:
        raise BackendUnavailable(f"{what}: no service was installed")
    return found
