"""Deleting a node's series, and making sure."""

from timeseries.store import TimeSeriesStore


async def delete_node(store: TimeSeriesStore, account_id: str, node_id: str) -> bool:
    """Delete all there is of a node; whether nothing is found afterwards. Raises StoreUnavailable.

    What was on its way, a frame or the pass of an hour, may come after it: delete again a little later.
    """
    await store.delete(account_id, node_id)
    if await store.keys(account_id, node_id) or await store.due_of(account_id, node_id):
        return False
    return await store.latest(account_id, node_id) is None
