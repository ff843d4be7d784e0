"""API keys: made, shown once, checked, revoked."""

import hmac
import secrets
import string
from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from eventframework.catalogue import KeyRevoked
from webapp import outbox
from webapp.accounts import vault
from webapp.accounts.models import Account, ApiKey
from webapp.errors import Refused

ALPHABET = string.ascii_lowercase + string.digits  # One letter case: some databases compare without it.
EVERY = tuple(ApiKey.Permission.values)
USE_IS_NOTED_EVERY = timedelta(minutes=1)


class NewKey(NamedTuple):
    """A key and its secret, which nobody can ask for again."""

    key: str
    secret: str

    @property
    def bearer_token(self) -> str:
        """What goes behind `Authorization: Bearer`."""
        return f"{self.key}.{self.secret}"


def create_key(account: Account, name: str, permissions: Collection[str] = EVERY) -> NewKey:
    """A new key of `account`; Refused("bad_permission") for a word that is no permission, or none at all."""
    if not permissions or not set(permissions) <= set(EVERY):
        raise Refused("bad_permission", f"permissions are {', '.join(EVERY)}, not {', '.join(permissions)!r}")
    new = NewKey(f"pk_{_random(16)}", f"ps_{_random(32)}")
    account.keys.create(
        key=new.key,
        encrypted_secret=vault.close(new.secret),
        name=name,
        permissions=[word for word in EVERY if word in permissions],
    )
    return new


def find_key(key: str) -> ApiKey | None:
    """The key in force with this text, and its account."""
    return ApiKey.objects.select_related("account").filter(key=key, revoked=None).first()


def secret_of(key: ApiKey) -> str:
    """The secret in clear, for those protocols that compute with it."""
    return vault.read(key.encrypted_secret)


def authenticate_key(key: str, secret: str, permission: str) -> ApiKey:
    """The key that these open; Refused("bad_key") or Refused("no_permission")."""
    found = find_key(key)
    if not found or not hmac.compare_digest(secret_of(found).encode(), secret.encode()):
        raise Refused("bad_key", "no key in force has this name and secret")
    demand(found, permission)
    note_use(found)
    return found


def demand(key: ApiKey, permission: str) -> None:
    """Refused("no_permission") when the key has not got it."""
    if permission not in key.permissions:
        raise Refused("no_permission", f"the key {key.name!r} has no permission to {permission}")


def note_use(key: ApiKey) -> None:
    """Remember when the key was last used, to the minute."""
    now = timezone.now()
    stale = Q(last_used=None) | Q(last_used__lt=now - USE_IS_NOTED_EVERY)
    if not key.last_used or key.last_used < now - USE_IS_NOTED_EVERY:
        key.account.keys.filter(stale, pk=key.pk).update(last_used=now)


def revoke_key(account: Account, key: str) -> None:
    """The key opens nothing from now on; Refused("unknown_key") when the account has none such in force."""
    with transaction.atomic():
        if not account.keys.filter(key=key, revoked=None).update(revoked=timezone.now()):
            raise Refused("unknown_key", f"this account has no key {key!r} in force")
        outbox.publish(KeyRevoked(account_id=account.pk, key=key))


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
