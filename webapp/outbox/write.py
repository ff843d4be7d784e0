"""Publishing from Django, within the transaction of the change that the event tells of."""

import time
import uuid

from django.db import transaction

from eventframework.event import Event, encode, entity
from picket import correlation
from webapp.outbox.waking import wake

LONGEST_ENTITY = 200
"""Of what is longer, the rest is ignored: then more events than need be keep their order."""


def publish(event: Event) -> None:
    """Publish it once the transaction under way is committed; without one, at once.

    Events of one entity go out in the order in which they were written here. Where several transactions may
    change the same thing at once, publish after the change: then the lock on its row orders both.
    """
    from webapp.outbox.models import OutboxEvent  # Models can be imported once all apps are known.

    time_ms = int(time.time() * 1000)
    body = encode(event, event_id=uuid.uuid4().hex, time_ms=time_ms, correlation_id=correlation.current())
    OutboxEvent.objects.create(
        entity=entity(event)[:LONGEST_ENTITY], topic=event.topic, body=body, written_ms=time_ms
    )
    transaction.on_commit(wake, robust=True)
