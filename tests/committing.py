"""What Django does, as a process of its own: `python -m tests.committing CHANGES` commits, with events.

Eight threads change five nodes, and undo every eleventh change. Without a number it says how many events wait
in the outbox.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from picket import relational
from picket.settings import load

NODES, THREADS = 5, 8


def main(arguments: list[str]) -> None:
    relational.set_up(load())
    relational.migrate()
    if arguments:
        commit(int(arguments[0]))
    else:
        from webapp.outbox.relay import thd_backlog

        print(thd_backlog().pending)


def commit(changes: int) -> None:
    from webapp.accounts.models import Account

    account = Account.objects.create(name="Ours")
    nodes = [account.nodes.create(name=f"node {number}").pk for number in range(NODES)]
    with ThreadPoolExecutor(THREADS) as pool:
        undone = [number % 10 == 9 for number in range(changes)] + [False] * (changes // 10)
        list(pool.map(change, (nodes * len(undone))[: len(undone)], undone))


def change(node_id: str, undone: bool) -> None:
    """Count the node's changes, the lock on its row held as by any change."""
    from django.db import close_old_connections, transaction

    from eventframework.catalogue import NodeUpdated
    from webapp import outbox
    from webapp.nodes.models import Node

    close_old_connections()
    with transaction.atomic():
        node = Node.objects.select_for_update().get(pk=node_id)
        old = node.details.get("changes", 0)
        node.details["changes"] = old + 1
        node.save()
        told: dict[str, list[str | None]] = {"changes": [str(old), str(old + 1)]}
        outbox.publish(NodeUpdated(account_id=node.account_id, node_id=node.pk, changes=told))
        transaction.set_rollback(undone)


if __name__ == "__main__":
    main(sys.argv[1:])
