"""Keeping what was heard of services, and telling of each problem when it begins and when it ends."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from eventframework.catalogue import Heartbeat, ServiceStateChanged
from webapp.operations.judge import SILENT_MS, Key, Sight, is_replaced, problems
from webapp.operations.models import Instance, Problem
from webapp.outbox.write import publish

FORGOTTEN_MS = 3600_000
"""An instance that was silent for so long is forgotten, the newest of its service excepted."""

STOPPED = "stopped"
LONGEST = 300


class Heard(NamedTuple):
    """A heartbeat, and when it was heard."""

    beat: Heartbeat
    heard_ms: int


class Change(NamedTuple):
    """A problem that has begun, or ended."""

    key: Key
    text: str
    is_problem: bool


@transaction.atomic
def thd_watch(heard: Sequence[Heard], sight: Sight | None) -> list[Change]:
    """Keep what was heard; the problems that have begun and ended, each told as an event too.

    Without `sight` nothing is judged.
    """
    for beat, heard_ms in heard:
        _note(beat, heard_ms)
    if sight is None:
        return []
    instances = list(Instance.objects.all())
    known = {Key(one.service, one.instance, one.kind): one for one in Problem.objects.all()}
    found = problems(instances, known, sight)
    begun = [Change(key, text, True) for key, text in found.items() if key not in known]
    ended = [Change(key, one.text, False) for key, one in known.items() if key not in found]
    for change in (*begun, *ended):
        _tell(change, sight.now_ms)
    _forget(instances, sight.now_ms)
    return [*begun, *ended]


def _note(beat: Heartbeat, heard_ms: int) -> None:
    ours = Instance.objects.filter(service=beat.service)
    before = ours.filter(instance=beat.instance).first()
    if beat.state == STOPPED:
        ours.filter(instance=beat.instance).delete()
        return
    same = before is not None and before.state == beat.state
    Instance.objects.update_or_create(
        service=beat.service,
        instance=beat.instance,
        defaults={
            "host": beat.host,
            "pid": beat.pid,
            "started_ms": beat.started_ms,
            "heard_ms": heard_ms,
            "told_ms": beat.time_ms,
            "state": beat.state,
            "since_ms": before.since_ms if before and same else heard_ms,
            "status": beat.status[:LONGEST],
            "lag": beat.lag,
            "pending": beat.pending,
        },
    )


def _tell(change: Change, now_ms: int) -> None:
    service, instance, kind = change.key
    if change.is_problem:
        Problem.objects.create(**change.key._asdict(), since_ms=now_ms, text=change.text[:LONGEST])
    else:
        Problem.objects.filter(**change.key._asdict()).delete()
    old, new = ("ok", "problem") if change.is_problem else ("problem", "ok")
    publish(
        ServiceStateChanged(
            service=service,
            instance=instance,
            kind=kind,
            old=old,
            new=new,
            text=change.text,
            time_ms=now_ms,
        )
    )


def _forget(instances: Sequence[Instance], now_ms: int) -> None:
    """Those silent for long, the newest of each service excepted, and those that others have replaced."""
    newest = {one.service: one.pk for one in sorted(instances, key=lambda one: one.heard_ms)}
    silent = [one for one in instances if one.heard_ms < now_ms - SILENT_MS and one.pk not in newest.values()]
    gone = [one for one in silent if one.heard_ms < now_ms - FORGOTTEN_MS or is_replaced(one, instances)]
    Instance.objects.filter(pk__in=[one.pk for one in gone]).delete()
