"""The types of what idl.py reads from picket.thrift; a test compares the two."""

from typing import Any

INTERFACES: dict[str, Any]

def methods(interface: str) -> list[str]: ...
def parameters(interface: str, method: str) -> list[str]: ...

class Across:
    node_ids: list[str]
    check: str
    key: str
    metric: str
    start_ms: int
    end_ms: int
    by: str
    max_points: int
    percentiles: list[float]
    def __init__(
        self,
        *,
        node_ids: list[str] = ...,
        check: str = ...,
        key: str = ...,
        metric: str = ...,
        start_ms: int = ...,
        end_ms: int = ...,
        by: str = ...,
        max_points: int = ...,
        percentiles: list[float] = ...,
    ) -> None: ...

class Assignment:
    check: str
    key: str
    params: str
    interval_s: int
    def __init__(
        self, *, check: str = ..., key: str = ..., params: str = ..., interval_s: int = ...
    ) -> None: ...

class CheckState:
    check: str
    key: str
    state: str
    status: str
    time_ms: int
    metrics: list[Metric]
    def __init__(
        self,
        *,
        check: str = ...,
        key: str = ...,
        state: str = ...,
        status: str = ...,
        time_ms: int = ...,
        metrics: list[Metric] = ...,
    ) -> None: ...

class Column:
    name: str
    kind: str
    values: bytes
    minimum: bytes
    maximum: bytes
    texts: list[str]
    def __init__(
        self,
        *,
        name: str = ...,
        kind: str = ...,
        values: bytes = ...,
        minimum: bytes = ...,
        maximum: bytes = ...,
        texts: list[str] = ...,
    ) -> None: ...

class Context:
    correlation_id: str
    timeout_ms: int
    def __init__(self, *, correlation_id: str = ..., timeout_ms: int = ...) -> None: ...

class Hello:
    key: str
    secret: str
    protocol: int
    version: str
    host: str
    platform: str
    machine: str
    node: str
    node_secret: str
    address: str
    def __init__(
        self,
        *,
        key: str = ...,
        secret: str = ...,
        protocol: int = ...,
        version: str = ...,
        host: str = ...,
        platform: str = ...,
        machine: str = ...,
        node: str = ...,
        node_secret: str = ...,
        address: str = ...,
    ) -> None: ...

class Metric:
    name: str
    kind: str
    value: str
    def __init__(self, *, name: str = ..., kind: str = ..., value: str = ...) -> None: ...

class NodeSnapshot:
    node_id: str
    time_ms: int
    received_ms: int
    checks: list[CheckState]
    def __init__(
        self,
        *,
        node_id: str = ...,
        time_ms: int = ...,
        received_ms: int = ...,
        checks: list[CheckState] = ...,
    ) -> None: ...

class NodeValue:
    node_id: str
    value: float
    def __init__(self, *, node_id: str = ..., value: float = ...) -> None: ...

class Query:
    check: str
    key: str
    metrics: list[str]
    start_ms: int
    end_ms: int
    max_points: int
    def __init__(
        self,
        *,
        check: str = ...,
        key: str = ...,
        metrics: list[str] = ...,
        start_ms: int = ...,
        end_ms: int = ...,
        max_points: int = ...,
    ) -> None: ...

class Rank:
    node_ids: list[str]
    check: str
    key: str
    metric: str
    start_ms: int
    end_ms: int
    by: str
    limit: int
    ascending: bool
    percentiles: list[float]
    def __init__(
        self,
        *,
        node_ids: list[str] = ...,
        check: str = ...,
        key: str = ...,
        metric: str = ...,
        start_ms: int = ...,
        end_ms: int = ...,
        by: str = ...,
        limit: int = ...,
        ascending: bool = ...,
        percentiles: list[float] = ...,
    ) -> None: ...

class Ranked:
    top: list[NodeValue]
    counted: int
    total: float
    mean: float
    percentiles: list[float]
    def __init__(
        self,
        *,
        top: list[NodeValue] = ...,
        counted: int = ...,
        total: float = ...,
        mean: float = ...,
        percentiles: list[float] = ...,
    ) -> None: ...

class Series:
    times: bytes
    columns: list[Column]
    resolution: str
    def __init__(self, *, times: bytes = ..., columns: list[Column] = ..., resolution: str = ...) -> None: ...

class Spread:
    times: bytes
    counts: bytes
    total: bytes
    mean: bytes
    least: bytes
    greatest: bytes
    percentiles: list[bytes]
    resolution: str
    due_are_in: bool
    def __init__(
        self,
        *,
        times: bytes = ...,
        counts: bytes = ...,
        total: bytes = ...,
        mean: bytes = ...,
        least: bytes = ...,
        greatest: bytes = ...,
        percentiles: list[bytes] = ...,
        resolution: str = ...,
        due_are_in: bool = ...,
    ) -> None: ...

class Welcome:
    account_id: str
    node_id: str
    node_secret: str
    def __init__(self, *, account_id: str = ..., node_id: str = ..., node_secret: str = ...) -> None: ...

class Refused(Exception):
    code: str
    message: str
    def __init__(self, *, code: str = ..., message: str = ...) -> None: ...

class Unavailable(Exception):
    message: str
    def __init__(self, *, message: str = ...) -> None: ...
