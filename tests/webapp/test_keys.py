"""webapp.accounts.keys and .vault."""

from datetime import timedelta

from django.test import override_settings
from django.utils import timezone

from eventframework.catalogue import KeyRevoked
from tests.webapp.base import TenantTestCase, outboxed
from webapp.accounts import vault
from webapp.accounts.keys import authenticate_key, create_key, find_key, note_use, revoke_key, secret_of
from webapp.errors import Refused


class KeysTest(TenantTestCase):
    def refusal(self, *arguments: str) -> str:
        with self.assertRaises(Refused) as caught:
            authenticate_key(*arguments)
        return caught.exception.code

    def test_a_key_and_its_secret_open_their_account(self) -> None:
        found = authenticate_key(self.key.key, self.key.secret, "read")
        self.assertEqual(found.account, self.account)
        self.assertRegex(self.key.key, r"^pk_[a-z0-9]{16}$")
        self.assertRegex(self.key.secret, r"^ps_[a-z0-9]{32}$")

    def test_a_wrong_secret_and_an_unknown_key_are_refused_alike(self) -> None:
        self.assertEqual(self.refusal(self.key.key, "ps_wrong", "read"), "bad_key")
        self.assertEqual(self.refusal("pk_nobody", self.key.secret, "read"), "bad_key")
        self.assertEqual(self.refusal(self.key.key, "ps_ä", "read"), "bad_key")

    def test_a_key_does_only_what_it_may(self) -> None:
        agent = create_key(self.account, "agents", ["agent"])
        self.assertEqual(self.refusal(agent.key, agent.secret, "read"), "no_permission")
        self.assertEqual(authenticate_key(agent.key, agent.secret, "agent").permissions, ["agent"])

    def test_a_key_has_known_permissions_and_at_least_one(self) -> None:
        for permissions in ([], ["rule"]):
            with self.assertRaises(Refused):
                create_key(self.account, "odd", permissions)

    def test_a_revoked_key_opens_nothing_and_the_gateways_hear_of_it(self) -> None:
        revoke_key(self.account, self.key.key)
        self.assertEqual(self.refusal(self.key.key, self.key.secret, "read"), "bad_key")
        self.assertEqual(outboxed(), [KeyRevoked(account_id=self.account.pk, key=self.key.key)])

    def test_nobody_revokes_the_key_of_another_account(self) -> None:
        with self.assertRaises(Refused):
            revoke_key(self.elsewhere, self.key.key)
        self.assertIsNotNone(find_key(self.key.key))

    def test_the_secret_is_not_in_the_database(self) -> None:
        self.assertNotIn(self.key.secret, str(self.account.keys.values()))

    def test_a_secret_outlives_the_change_of_the_secret_key(self) -> None:
        found = find_key(self.key.key)
        assert found
        with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["a secret key that only tests use"]):
            self.assertEqual(secret_of(found), self.key.secret)
            self.assertEqual(vault.read(vault.close("x")), "x")

    def test_use_is_noted_once_a_minute(self) -> None:
        found = find_key(self.key.key)
        assert found
        note_use(found)
        found.refresh_from_db()
        first = found.last_used
        assert first
        with self.assertNumQueries(0):
            note_use(found)
        self.account.keys.update(last_used=timezone.now() - timedelta(minutes=2))
        authenticate_key(self.key.key, self.key.secret, "read")
        self.assertTrue(self.account.keys.filter(last_used__gte=first).exists())
