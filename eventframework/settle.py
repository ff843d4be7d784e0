"""The topology step: what the enabled services consume is there, and stays there, before anyone publishes.

RabbitMQ 3.10 writes down which quorum queues there are about a second after their declaration. One that it
had not written down when it was killed has no leader any more, and what it had confirmed is lost. So nothing
is published within SETTLE_S of a declaration. A mark, an exchange named after all the queues, says that they
have been left alone for long enough: who finds the mark and every queue need not wait.
"""

from collections.abc import Sequence
from hashlib import sha256

from eventframework.amqp import Channel
from eventframework.connection import Link
from eventframework.declare import Step, take
from eventframework.errors import MEND, NotThere, TopologyClash
from eventframework.topology import MENDING

SETTLE_S = 2.0


async def settle(link: Link, channel: Channel, steps: Sequence[Step], settle_s: float) -> None:
    """Take the steps, and wait where that may have made a queue; raises BrokerUnavailable, TopologyClash."""
    if await _found(link, [Step("queue_declare", {"queue": MENDING})]):
        raise TopologyClash(f"`{MEND}` is under way, or was broken off")
    made = _mark(steps)
    settled = await _found(link, [made, *(step for step in steps if step.kind == "queue")])
    await take(channel, steps)
    if not settled:
        await channel.sleep(settle_s)
        await take(channel, [made])


def _mark(steps: Sequence[Step]) -> Step:
    queues = sorted(step.name for step in steps if step.kind == "queue")
    name = f"topology.{sha256(' '.join(queues).encode()).hexdigest()[:12]}"
    return Step("exchange_declare", {"exchange": name, "exchange_type": "fanout", "durable": True})


async def _found(link: Link, steps: Sequence[Step]) -> bool:
    """Whether all are there; on a channel of its own, which a thing that is missing ends."""
    channel = await link.channel()
    try:
        await take(channel, [step.look() for step in steps])
    except NotThere:
        return False
    channel.send("close")
    return True
