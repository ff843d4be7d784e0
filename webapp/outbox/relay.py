"""The outbox as its relay sees it: the oldest rows, until they are settled.

There is no cursor: ids are given at the write and seen at the commit, in whichever order the commits come.
What is there is still to be published; what is published is deleted.
"""

from collections.abc import Collection
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Min

from webapp.outbox.models import OutboxEvent


class Row(NamedTuple):
    """An event that is committed: `body` goes to `topic` as it is."""

    id: int
    entity: str
    topic: str
    body: bytes


class Backlog(NamedTuple):
    """How many events wait, and since when the oldest does (ms since the epoch, 0 for none)."""

    pending: int
    oldest_ms: int


def thd_oldest(limit: int, without: Collection[str] = ()) -> list[Row]:
    """The oldest rows of all entities but those, in the order of their writing."""
    rows = OutboxEvent.objects.exclude(entity__in=without).order_by("id")
    found = rows.values_list("id", "entity", "topic", "body")[:limit]
    return [Row(id_, entity, topic, bytes(body)) for id_, entity, topic, body in found]


def thd_settle(ids: Collection[int]) -> None:
    """Forget rows that are published, or dropped; those that are gone already are no error."""
    if ids:
        with transaction.atomic():
            OutboxEvent.objects.filter(pk__in=ids).delete()


def thd_backlog() -> Backlog:
    """What waits: reads every row's time, so not for each look."""
    found = OutboxEvent.objects.aggregate(pending=Count("id"), oldest=Min("written_ms"))
    return Backlog(found["pending"], found["oldest"] or 0)
