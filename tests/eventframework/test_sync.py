"""eventframework.sync: many threads, one broker."""

from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread, deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial import unittest

from eventframework import BrokerUnavailable, Framework, Policy, PublishRefused, sync
from eventframework.memory import MemoryBroker
from tests.contract.brokers import Inbox, ringing, until

THREADS, EACH = 16, 25


class TestPublishingFromThreads(unittest.TestCase):
    async def started(self, event: Any, handler: Any) -> Framework:
        made = Framework(MemoryBroker(None, cast(Any, reactor)), cast(Any, reactor), drain_s=0.1)
        made.subscribe(event, handler, Policy.ROUND_ROBIN)
        await made.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(made.stop()))
        return made

    async def test_many_threads_at_once_publish_everything_each_in_its_order(self) -> None:
        rung, inbox = ringing(), Inbox()
        framework = await self.started(rung, inbox.rung)
        publish = sync.publisher(framework, cast(Any, reactor))
        pool = ThreadPool(THREADS, THREADS)
        pool.start()
        self.addCleanup(pool.stop)

        def work(thread: int) -> None:
            for number in range(EACH):
                publish(rung(door=thread * EACH + number))

        await gatherResults(
            [deferToThreadPool(cast(Any, reactor), pool, work, thread) for thread in range(THREADS)]
        )
        await until(lambda: len(inbox.doors) == THREADS * EACH)
        for thread in range(THREADS):
            mine = range(thread * EACH, (thread + 1) * EACH)
            assert [door for door in inbox.doors if door in mine] == list(mine)

    async def test_the_reactors_thread_is_refused(self) -> None:
        rung, inbox = ringing(), Inbox()
        publish = sync.publisher(await self.started(rung, inbox.rung), cast(Any, reactor))
        with pytest.raises(RuntimeError, match="reactor's thread"):
            publish(rung(door=1))

    async def test_a_refusal_is_raised_in_the_thread(self) -> None:
        rung, inbox = ringing(), Inbox()
        publish = sync.publisher(await self.started(rung, inbox.rung), cast(Any, reactor))
        with pytest.raises(PublishRefused):
            await deferToThread(publish, ringing()(door=1))

    async def test_a_broker_that_does_not_answer_is_waited_for_only_so_long(self) -> None:
        class Silent:
            def publish(self, *_: Any) -> Deferred[None]:
                return Deferred()

        framework = Framework(cast(Any, Silent()), cast(Any, reactor))
        publish = sync.publisher(framework, cast(Any, reactor), within_s=0.05)
        with pytest.raises(BrokerUnavailable, match=r"no answer within 0\.05 s"):
            await deferToThread(publish, ringing()(door=1))
