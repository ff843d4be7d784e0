"""webapp.leases: one holder at a time, by the database's clock alone."""

from threading import Barrier, Thread
from time import time

from django.db import connection
from django.test import TestCase, TransactionTestCase

from webapp.leases.lease import NowMs, thd_give_back, thd_take
from webapp.leases.models import Lease

LENGTH_MS = 60_000


def take(holder: str) -> int | None:
    return thd_take("work", holder, LENGTH_MS)


def pass_time(ms: int) -> None:
    """As if the lease had been written so much earlier."""
    lease = Lease.objects.get(name="work")
    Lease.objects.update(until_ms=lease.until_ms - ms)


class LeaseTest(TestCase):
    def test_the_first_who_asks_has_it_and_nobody_else(self) -> None:
        self.assertEqual(take("one"), 1)
        self.assertIsNone(take("two"))
        self.assertEqual(take("one"), 1)

    def test_another_takes_it_once_its_holder_is_gone_for_its_length(self) -> None:
        take("one")
        pass_time(LENGTH_MS - 10_000)
        self.assertIsNone(take("two"))
        pass_time(10_000)
        self.assertEqual(take("two"), 2)
        self.assertIsNone(take("one"))

    def test_a_holder_that_asks_again_keeps_it(self) -> None:
        take("one")
        for _ in range(5):
            pass_time(LENGTH_MS // 2)
            self.assertEqual(take("one"), 1)
        self.assertIsNone(take("two"))

    def test_a_holder_that_comes_late_has_it_again_if_nobody_took_it(self) -> None:
        take("one")
        pass_time(LENGTH_MS * 2)
        self.assertEqual(take("one"), 1)
        self.assertIsNone(take("two"))

    def test_what_is_given_back_is_free_at_once(self) -> None:
        take("one")
        thd_give_back("work", "two")
        self.assertIsNone(take("two"))
        thd_give_back("work", "one")
        self.assertEqual(take("two"), 2)

    def test_leases_of_other_names_are_other_leases(self) -> None:
        take("one")
        self.assertEqual(thd_take("play", "two", LENGTH_MS), 1)

    def test_while_it_is_fresh_its_holder_only_reads(self) -> None:
        take("one")
        with self.assertNumQueries(1):
            take("one")

    def test_the_databases_clock_is_utc_in_milliseconds(self) -> None:
        take("one")
        now_ms = Lease.objects.annotate(now_ms=NowMs()).get().now_ms
        self.assertIsInstance(now_ms, int)
        self.assertLess(abs(now_ms - time() * 1000), 2000)


class LeaseRaceTest(TransactionTestCase):
    # SQLite in memory has one writer at a time by nature: there they come one after the other.
    at_once = 1 if connection.vendor == "sqlite" else 8

    def test_of_many_who_ask_at_once_one_has_it(self) -> None:
        for epoch in (1, 2):
            found: list[int | None] = []
            for number in range(8 // self.at_once):
                self.race(found, f"{epoch}.{number}")
            self.assertEqual([one for one in found if one], [epoch])
            pass_time(LENGTH_MS)

    def race(self, found: list[int | None], name: str) -> None:
        if self.at_once == 1:
            found.append(take(name))
            return
        barrier = Barrier(self.at_once)
        names = [f"{name}.{number}" for number in range(self.at_once)]
        threads = [Thread(target=self.run_one, args=(barrier, found, each)) for each in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def run_one(self, barrier: Barrier, found: list[int | None], name: str) -> None:
        barrier.wait()
        try:
            found.append(take(name))
        finally:
            connection.close()
