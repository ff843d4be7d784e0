"""What is wrong with services, by the heartbeats that were heard. Pure rules, without a database.

| problem | of | when |
|---|---|---|
| dead | a service | no instance of it was heard for SILENT_MS, or none ever came |
| silent | an instance | it was not heard for SILENT_MS, another of its service was, and none took its place |
| unready | an instance | it has told for SILENT_MS that it cannot serve |
| lag | a service | more messages than the limit wait for it, until it is half of that |
| dead_letters | the broker | there are any |

Silence counts from the moment at which the watchdog could last hear nobody: see `Sight`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from webapp.operations.models import Instance, Problem

SILENT_MS = 30_000
BROKER = "broker"
"""Stands for a service in what is wrong with the broker."""


class Key(NamedTuple):
    """Which problem; `instance` is empty where it is the service's."""

    service: str
    instance: str
    kind: str


@dataclass(frozen=True)
class Sight:
    """What the watchdog can judge by: it has heard heartbeats without a break since `since_ms`.

    `enabled`: the services that are to be there. `most_lag`: messages. `dead_letters`: None where unknown.
    """

    now_ms: int
    since_ms: int
    enabled: Collection[str]
    most_lag: int
    dead_letters: int | None = None


def problems(instances: Sequence[Instance], known: Collection[Key], sight: Sight) -> dict[Key, str]:
    """Every problem there is, in words; `known` are those that there were."""
    found: dict[Key, str] = {}
    by_service: defaultdict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        by_service[instance.service].append(instance)
    for service in sorted({*by_service, *sight.enabled}):
        found |= _of_service(service, by_service[service], known, sight)
    key = Key(BROKER, "", Problem.Kind.DEAD_LETTERS.value)
    if sight.dead_letters or (sight.dead_letters is None and key in known):
        found[key] = f"{sight.dead_letters or 'some'} dead letters; see `picket events dead list`"
    return found


def _of_service(
    service: str, instances: Sequence[Instance], known: Collection[Key], sight: Sight
) -> dict[Key, str]:
    alive = [one for one in instances if not _silent(one.heard_ms, sight)]
    if not alive:
        is_due = service in sight.enabled and _silent(0, sight)
        return {Key(service, "", Problem.Kind.DEAD.value): _last_heard(instances)} if is_due else {}
    found = dict(_of_instances(instances, sight))
    lag, key = max(one.lag for one in alive), Key(service, "", Problem.Kind.LAG.value)
    if lag > (sight.most_lag // 2 if key in known else sight.most_lag):
        found[key] = f"{lag} messages wait for it"
    return found


def _of_instances(instances: Sequence[Instance], sight: Sight) -> Iterator[tuple[Key, str]]:
    for one in instances:
        where = f"on {one.host}, process {one.pid}"
        if _silent(one.heard_ms, sight):
            if not is_replaced(one, instances):
                key = Key(one.service, one.instance, Problem.Kind.SILENT.value)
                yield key, f"no heartbeat {where}"
        elif one.state != "ok" and _silent(one.since_ms, sight):
            yield (
                Key(one.service, one.instance, Problem.Kind.UNREADY.value),
                f"cannot serve {where}: {one.status}",
            )


def is_replaced(one: Instance, instances: Iterable[Instance]) -> bool:
    """Whether another instance of its service began on its host after the last that it told."""
    others = (other for other in instances if (other.service, other.host) == (one.service, one.host))
    return any(other.started_ms > one.told_ms for other in others)


def _silent(last_ms: int, sight: Sight) -> bool:
    return sight.now_ms - max(last_ms, sight.since_ms) > SILENT_MS


def _last_heard(instances: Sequence[Instance]) -> str:
    if not instances:
        return "no process of it has come"
    last = max(instances, key=lambda one: one.heard_ms)
    return f"no heartbeat of it; the last was on {last.host}, process {last.pid}"
