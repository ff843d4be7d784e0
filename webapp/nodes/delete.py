"""Deleting a node: the row and what hangs on it at once, its series by the service that hears of it."""

from django.db import transaction

from eventframework.catalogue import NodeDeleted
from webapp import outbox
from webapp.accounts.models import Account
from webapp.errors import Refused


def delete_node(account: Account, node_id: str) -> None:
    """Delete a node of the account; Refused("unknown_node") when it has no such node.

    Its agent is disconnected. If it still runs, it comes again as a new node.
    """
    with transaction.atomic():
        node = account.nodes.select_for_update().filter(pk=node_id).first()
        if node is None:
            raise Refused("unknown_node", f"this account has no node {node_id!r}")
        node.delete()
        outbox.publish(NodeDeleted(account_id=account.pk, node_id=node_id))
