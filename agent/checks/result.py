"""What a check is asked and what it answers."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

Value = int | float | str
UNITS = " KMGTPE"


class CheckFailed(Exception):
    """A check cannot tell; the text becomes the status of an `err` result."""


class Request(NamedTuple):
    """What to check: `key` is the instance (a path; empty for all), `params` NAME -> [VALUE…]."""

    check: str
    key: str = ""
    params: dict[str, Any] = {}  # noqa: RUF012 - never written to

    def instances(self, parameter: str) -> list[str]:
        """The instances that are asked for by parameter or key; empty for all that there are."""
        asked = self.params.get(parameter) or self.key
        return [asked] if isinstance(asked, str) and asked else [str(name) for name in asked]


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found: `state` is ok, warn, err or unknown; `rates` names those from counters."""

    check: str
    key: str = ""
    state: str = "ok"
    status: str = ""
    metrics: dict[str, Value] = field(default_factory=dict)
    rates: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The form of a frame's results."""
        return asdict(self)


def failed(request: Request, error: Exception, key: str | None = None) -> Result:
    """The result of a check that cannot tell."""
    known = isinstance(error, CheckFailed | OSError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return Result(request.check, request.key if key is None else key, "err", text)


def each(request: Request, instances: Iterable[str], check: Callable[[str], Result]) -> list[Result]:
    """A result for every instance, whatever happens to the others."""

    def one(instance: str) -> Result:
        try:
            return check(instance)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this instance's result
            return failed(request, error, instance)

    return [one(instance) for instance in instances]


def human(size_bytes: float) -> str:
    """`3.87 GB`; below a kilobyte there are two blanks: `0.00  B`."""
    power = 0
    while size_bytes >= 1024 and power < len(UNITS) - 1:
        size_bytes, power = size_bytes / 1024, power + 1
    return f"{size_bytes:.2f} {UNITS[power]}B"
