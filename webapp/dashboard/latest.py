"""The newest result of every check of every node, what of a frame is news, and a node in one line.

Needs no Django: the live service keeps it, and the overview makes the same line from a snapshot.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

import msgspec

from rpc import idl
from timeseries.errors import InvalidFrame
from timeseries.frames import CheckResult, Frame, Value, decode_payload, unpack
from timeseries.rank import Rank
from webapp.dashboard.ranked_by import RankedBy

FUTURE_MS = 5 * 60_000
"""A frame further ahead of our clock than this is no news: it would hide all that come after it."""

MAX_UNDECODED = 8
"""Frames of a node that wait undecoded: one of each layout, and a node has few."""

CheckId = tuple[str, str]
Found = dict[str, list[CheckResult]]
NEVER: tuple[int, Mapping[str, Value]] = (-1, {})


class Seen(msgspec.Struct, frozen=True):
    """A check's newest result and its time, in milliseconds."""

    time_ms: int
    result: CheckResult


class NodeLatest(msgspec.Struct):
    """What is known of one node; `checks` by (check, key).

    `ready` are newest metrics and their times of checks that were asked for, until another frame comes.
    """

    time_ms: int = 0
    received_ms: int = 0
    checks: dict[CheckId, Seen] = {}
    undecoded: dict[int, Frame] = {}
    ready: dict[CheckId, tuple[int, Mapping[str, Value]]] = {}

    def take(self, time_ms: int, received_ms: int, results: Iterable[CheckResult]) -> list[CheckResult]:
        """Keep what is newer than what is known; returns that. A frame sent again gives nothing."""
        self.ready.clear()
        news = [result for result in results if time_ms > self._time_of(result)]
        for result in news:
            self.checks[result.check, result.key] = Seen(time_ms, result)
        self.time_ms = max(self.time_ms, time_ms)
        self.received_ms = max(self.received_ms, received_ms)
        return news

    def keep(self, frame: Frame) -> None:
        """Take a frame with a layout, undecoded until `settle`: what it replaces had the same checks."""
        self.ready.clear()
        older = self.undecoded.get(frame.layout)
        if older is None or older.time_ms < frame.time_ms:
            self.undecoded.pop(frame.layout, None)  # Among frames of one time the first to come counts.
            self.undecoded[frame.layout] = frame
        self.time_ms = max(self.time_ms, frame.time_ms)
        self.received_ms = max(self.received_ms, frame.received_ms)
        if len(self.undecoded) > MAX_UNDECODED:
            self.settle()

    def settle(self) -> None:
        """Decode what waits."""
        undecoded, self.undecoded = self.undecoded, {}
        for frame in undecoded.values():
            with suppress(InvalidFrame):  # Whoever gave it a layout has decoded it.
                self.take(frame.time_ms, frame.received_ms, decode_payload(frame.payload).results)

    def newest(self, which: CheckId) -> tuple[int, Mapping[str, Value]]:
        """The newest metrics of one check and their time; of what waits no more is decoded."""
        if which not in self.ready:
            seen = self.checks.get(which)
            found = (seen.time_ms, seen.result.metrics) if seen else NEVER
            for frame in self.undecoded.values():
                if frame.time_ms > found[0] and (metrics := _metrics_in(frame.payload, which)) is not None:
                    found = frame.time_ms, metrics
            self.ready[which] = found
        return self.ready[which]

    def _time_of(self, result: CheckResult) -> int:
        seen = self.checks.get((result.check, result.key))
        return seen.time_ms if seen else 0

    def frames(self) -> Iterator[tuple[int, list[CheckResult]]]:
        """All that is known, as (time, results) in order of time: taking them anew gives the same."""
        by_time: dict[int, list[CheckResult]] = {}
        for seen in self.checks.values():
            by_time.setdefault(seen.time_ms, []).append(seen.result)
        yield from sorted(by_time.items())


class _Part(msgspec.Struct, frozen=True, gc=False):
    """A result whose metrics are not decoded, which takes a third of the time."""

    check: str
    key: str = ""
    metrics: msgspec.Raw = msgspec.Raw(b"{}")


class _Parts(msgspec.Struct, frozen=True, gc=False):
    results: list[_Part]


_parts = msgspec.json.Decoder(_Parts)
_metrics = msgspec.json.Decoder(dict[str, Value])


def _metrics_in(payload: bytes, which: CheckId) -> dict[str, Value] | None:
    """The metrics of one check in a payload that has been decoded before, by whoever gave it a layout."""
    with suppress(InvalidFrame, msgspec.MsgspecError):
        for part in reversed(_parts.decode(unpack(payload)).results):
            if (part.check, part.key) == which:
                return _metrics.decode(part.metrics)
    return None


class Latest:
    """The nodes of all accounts; every question names the account. Decodes late, when a node is asked for."""

    def __init__(self) -> None:
        self._accounts: dict[str, dict[str, NodeLatest]] = {}
        self._ranked_by = RankedBy()

    def take(self, frame: Frame, now_ms: int) -> list[CheckResult]:
        """The results of a frame that are news; raises InvalidFrame."""
        if frame.time_ms > now_ms + FUTURE_MS:
            return []
        node = self.make(frame.account_id, frame.node_id)
        node.settle()
        return node.take(frame.time_ms, frame.received_ms, decode_payload(frame.payload).results)

    def keep(self, frame: Frame, now_ms: int) -> None:
        """Take a frame whose news nobody wants to hear at the moment; raises InvalidFrame."""
        if not frame.layout:
            self.take(frame, now_ms)
        elif frame.time_ms <= now_ms + FUTURE_MS:
            node = self.make(frame.account_id, frame.node_id)
            node.keep(frame)
            for which in self._ranked_by.of(frame.account_id, now_ms):
                node.newest(which)

    def make(self, account_id: str, node_id: str) -> NodeLatest:
        """What is known of the node, from now on kept."""
        nodes = self._accounts.setdefault(account_id, {})
        known = nodes.get(node_id)
        if known is None:
            known = nodes[node_id] = NodeLatest()
        return known

    def forget(self, is_stale: Callable[[str], bool]) -> None:
        """Know nothing any more of the nodes with such ids, whosever they are."""
        for nodes in self._accounts.values():
            for node_id in [node_id for node_id in nodes if is_stale(node_id)]:
                del nodes[node_id]

    def find(self, account_id: str, node_id: str) -> NodeLatest | None:
        """What is known of the node; None when nothing is."""
        node = self._accounts.get(account_id, {}).get(node_id)
        if node:
            node.settle()
        return node

    def numbers(self, account_id: str, node_ids: Iterable[str], rank: Rank, now_ms: int) -> dict[str, float]:
        """The newest number of a metric of each of these nodes, where there is one since `rank.start_ms`.

        For a while from now on those of this check are decoded when they come.
        """
        nodes, which = self._accounts.get(account_id, {}), (rank.check, rank.key)
        self._ranked_by.note(account_id, which, now_ms)
        found: dict[str, float] = {}
        for node_id in node_ids:
            if node := nodes.get(node_id):
                time_ms, metrics = node.newest(which)
                value = metrics.get(rank.metric) if time_ms >= rank.start_ms else None
                if isinstance(value, int | float):
                    found[node_id] = _float(value)
        return found

    def of_account(self, account_id: str) -> dict[str, NodeLatest]:
        """Every known node of the account, by id."""
        nodes = self._accounts.get(account_id, {})
        for node in nodes.values():
            node.settle()
        return nodes


class Summary(msgspec.Struct, frozen=True):
    """A node in one line: shares in percent, traffic in bytes a second without the loopback's."""

    node: str
    time: int
    cpu: float | None
    mem: float | None
    disk: float | None
    in_bytes: float | None
    out_bytes: float | None
    load: float | None


def result_of(state: idl.CheckState) -> CheckResult:
    """The result that a check's state tells of; its metrics travelled as text."""
    return CheckResult(
        check=state.check,
        key=state.key,
        state=state.state,  # type: ignore[arg-type]
        status=state.status,
        metrics={metric.name: _value(metric) for metric in state.metrics},
        rates=[metric.name for metric in state.metrics if metric.kind == "gauge"],
    )


def _value(metric: idl.Metric) -> Value:
    if metric.kind == "string":
        return metric.value
    try:
        return int(metric.value)
    except ValueError:
        return float(metric.value)


def summarize(node_id: str, time_ms: int, results: Iterable[CheckResult]) -> Summary:
    """The line of a node from its newest results."""
    found: Found = {}
    for result in results:
        found.setdefault(result.check, []).append(result)
    idle = _first(found, "cpu", "cpu_idle")
    used, total = _first(found, "mem", "mem_used"), _first(found, "mem", "mem_total")
    return Summary(
        node=node_id,
        time=time_ms,
        cpu=None if idle is None else max(0.0, 100 - idle),
        mem=None if used is None or not total else 100 * used / total,
        disk=max(_numbers(found, "disk", "capacity"), default=None),
        in_bytes=_sum(_numbers(found, "net", "in_bytes")),
        out_bytes=_sum(_numbers(found, "net", "out_bytes")),
        load=_first(found, "loadaverage", "loadaverage_1m"),
    )


def _numbers(found: Found, check: str, metric: str) -> list[float]:
    values = [result.metrics.get(metric) for result in found.get(check, []) if result.key != "lo"]
    return [float(value) for value in values if isinstance(value, int | float)]


def _first(found: Found, check: str, metric: str) -> float | None:
    return next(iter(_numbers(found, check, metric)), None)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _sum(numbers: list[float]) -> float | None:
    return sum(numbers) if numbers else None
