"""webapp.backend."""

import pytest
from django.db import transaction
from django.test import TransactionTestCase

from eventframework.catalogue import KeyRevoked
from webapp import backend
from webapp.errors import BackendUnavailable

EVENT = KeyRevoked(account_id="a1", key="pk_1")


def test_what_was_not_installed_is_unavailable() -> None:
    backend.install()
    for ask in (backend.timeseries, backend.live):
        with pytest.raises(BackendUnavailable):
            ask()


class PublishTest(TransactionTestCase):
    def setUp(self) -> None:
        self.published: list[object] = []
        backend.install(publish=self.published.append)
        self.addCleanup(backend.install)

    def test_an_event_goes_out_once_its_change_is_committed(self) -> None:
        with transaction.atomic():
            backend.publish(EVENT)
            self.assertEqual(self.published, [])
        self.assertEqual(self.published, [EVENT])

    def test_an_event_of_a_change_that_was_undone_never_goes_out(self) -> None:
        with transaction.atomic():
            backend.publish(EVENT)
            transaction.set_rollback(True)
        self.assertEqual(self.published, [])
