"""How the first owner comes to be, and one-time links that sign a user in."""

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import Account, Membership, SignInLink, User
from webapp.errors import Refused

LINK_LIVES = timedelta(minutes=30)


def create_first_owner(email: str = "owner@localhost", account_name: str = "My servers") -> User:
    """The owner of the first account, made if there is no account yet; has no password until one is set."""
    with transaction.atomic():
        first = Account.objects.order_by("created").first()
        if first:
            return first.memberships.filter(role=Membership.Role.OWNER).select_related("user")[0].user
        owner, _made = User.objects.get_or_create(email=email.lower())
        owner.set_unusable_password()
        owner.save()
        account = Account.objects.create(name=account_name)
        account.memberships.create(user=owner, role=Membership.Role.OWNER)
        return owner


def find_account(wanted: str = "") -> Account:
    """By id or exact name; the only one where nothing is wanted. Refused("unknown_account") otherwise."""
    found = Account.objects.filter(pk=wanted) or Account.objects.filter(name=wanted)
    candidates = list(found if wanted else Account.objects.all()[:2])
    if len(candidates) == 1:
        return candidates[0]
    few = "no account" if not candidates else "more than one account"
    raise Refused("unknown_account", f"{few} fits {wanted!r}; say which by its id")


def sign_in_link(user: User) -> str:
    """The path of a link that signs `user` in once, within half an hour: `/enter/TOKEN`."""
    token = secrets.token_urlsafe(32)
    expires = timezone.now() + LINK_LIVES
    SignInLink.objects.filter(expires__lt=timezone.now()).delete()
    user.sign_in_links.create(token_hash=_hash(token), expires=expires)
    return f"/enter/{token}"


def enter(token: str) -> User:
    """The user whom this token signs in, and the end of the token; Refused("bad_link")."""
    now = timezone.now()
    usable = SignInLink.objects.filter(token_hash=_hash(token), user__is_active=True)
    if not usable.filter(used=None, expires__gt=now).update(used=now):
        raise Refused("bad_link", "this link was used, is too old, or never was")
    return usable.select_related("user").get().user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
