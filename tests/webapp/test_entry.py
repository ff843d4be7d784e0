"""webapp.accounts.entry."""

from datetime import timedelta

from django.test import TestCase
from django.utils import timezone

from webapp.accounts.entry import LINK_LIVES, create_first_owner, enter, find_account, sign_in_link
from webapp.accounts.models import Account, SignInLink
from webapp.errors import Refused


def token_of(link: str) -> str:
    return link.removeprefix("/enter/")


class EntryTest(TestCase):
    def setUp(self) -> None:
        self.owner = create_first_owner()

    def test_the_first_owner_is_made_once(self) -> None:
        self.assertEqual(create_first_owner(), self.owner)
        self.assertEqual(Account.objects.count(), 1)
        self.assertEqual(Account.objects.get().memberships.get().role, "owner")
        self.assertFalse(self.owner.has_usable_password())

    def test_a_link_signs_its_user_in_once(self) -> None:
        token = token_of(sign_in_link(self.owner))
        self.assertEqual(enter(token), self.owner)
        with self.assertRaises(Refused):
            enter(token)

    def test_a_link_is_good_for_half_an_hour(self) -> None:
        token = token_of(sign_in_link(self.owner))
        self.assertEqual(LINK_LIVES, timedelta(minutes=30))
        SignInLink.objects.update(expires=timezone.now() - timedelta(seconds=1))
        with self.assertRaises(Refused):
            enter(token)

    def test_the_token_is_not_in_the_database(self) -> None:
        token = token_of(sign_in_link(self.owner))
        self.assertNotIn(token, str(SignInLink.objects.values()))

    def test_a_made_up_token_and_a_closed_user_are_refused(self) -> None:
        token = token_of(sign_in_link(self.owner))
        self.owner.is_active = False
        self.owner.save()
        for wrong in ("", "made-up", token):
            with self.assertRaises(Refused):
                enter(wrong)

    def test_an_account_is_found_by_id_by_name_or_as_the_only_one(self) -> None:
        only = Account.objects.get()
        self.assertEqual([find_account(), find_account(only.pk), find_account(only.name)], [only] * 3)
        Account.objects.create(name="second")
        for ambiguous in ("", "nobody's"):
            with self.assertRaises(Refused):
                find_account(ambiguous)
