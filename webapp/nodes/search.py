"""Finds the nodes that a query means: `*`, `all`, `node:NAME` and bare names, quoted or not."""

import re

from django.db.models import QuerySet

from webapp.accounts.models import Account
from webapp.errors import Refused
from webapp.nodes.models import Node

EVERY = re.compile(r" *(\*|all) *", re.IGNORECASE)
NAME = re.compile(r' *(?:node:)?(?:"(?P<quoted>[^"*?]+)"|(?P<plain>\w[\w-]*)) *', re.IGNORECASE)
OPERATORS = {"and", "or"}


def find_nodes(account: Account, query: str = "*") -> QuerySet[Node]:
    """The account's nodes that `query` means, by name; Refused("bad_query") when it is not understood."""
    if EVERY.fullmatch(query):
        return account.nodes.all()
    name = NAME.fullmatch(query)
    if not name or (name["plain"] or "").lower() in OPERATORS:
        raise Refused(
            "bad_query", f'{query!r} is not understood: use *, all, NAME, node:NAME or node:"A NAME"'
        )
    return account.nodes.filter(name__iexact=name["quoted"] or name["plain"])
