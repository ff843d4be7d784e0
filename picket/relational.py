"""The relational database from outside Django: set up, migrated, and asked for what commands need."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from picket.errors import PicketError
from picket.settings import Settings

if TYPE_CHECKING:
    from webapp.accounts.keys import NewKey


def set_up(settings: Settings) -> None:
    """Load Django with these settings; its modules must not be imported before."""
    import os

    import django

    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    django.setup()


def migrate() -> None:
    """Bring the schema to this version's; quick when it is there."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)


def create_key(name: str, account: str, permissions: Collection[str]) -> "NewKey":
    """A new API key of the account (id, name, or the only one); raises PicketError."""
    from webapp.accounts import entry, keys
    from webapp.errors import Refused

    entry.create_first_owner()
    try:
        return keys.create_key(entry.find_account(account), name, permissions)
    except Refused as refused:
        raise PicketError(refused.message) from refused


def sign_in_link(settings: Settings, address: str = "") -> str:
    """The URL of a one-time link for the first owner; `address` is where pages are if no setting says so."""
    from webapp.accounts import entry

    path = entry.sign_in_link(entry.create_first_owner())
    return (settings.web.public_url or f"http://{address or settings.web.listen}") + path
