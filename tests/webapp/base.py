"""The people of tests: an owner and a teammate of one account, and a stranger with an account of its own."""

import math
import struct
from collections.abc import Sequence
from typing import Any

from django.test import TestCase

from eventframework.event import Event, decode
from rpc import errors, idl
from webapp import backend
from webapp.accounts.keys import NewKey, create_key
from webapp.accounts.models import Account, Membership, User
from webapp.nodes.models import Node
from webapp.outbox.relay import thd_oldest


class Services:
    """An in-memory twin of the services behind the web app; everything is kept per account."""

    def __init__(self) -> None:
        self.checks: dict[tuple[str, str], list[idl.CheckState]] = {}
        self.snapshots: dict[str, list[idl.NodeSnapshot]] = {}
        self.asked: list[Any] = []

    def query(self, account_id: str, node_id: str, query: idl.Query) -> idl.Series:
        self.asked.append((account_id, node_id, query))
        return idl.Series(times=b"", columns=[], resolution="raw")

    def query_many(self, account_id: str, node_id: str, queries: Sequence[idl.Query]) -> list[idl.Series]:
        self.asked.append((account_id, node_id, queries))
        return [idl.Series(times=b"", columns=[], resolution="raw") for _ in queries]

    def rank(self, account_id: str, rank: idl.Rank) -> idl.Ranked:
        self.asked.append((account_id, rank))
        top = [idl.NodeValue(node_id=node_id, value=1.5) for node_id in rank.node_ids]
        percentiles = [1.5 for _ in rank.percentiles]
        return idl.Ranked(top=top, counted=len(top), total=1.5, mean=math.nan, percentiles=percentiles)

    def across(self, account_id: str, across: idl.Across) -> idl.Spread:
        self.asked.append((account_id, across))
        line = struct.pack("<dd", 1.5, math.nan)
        names = ("total", "mean", "least", "greatest")
        return idl.Spread(
            times=struct.pack("<qq", across.start_ms, across.end_ms),
            counts=struct.pack("<qq", len(across.node_ids), 0),
            percentiles=[line for _ in across.percentiles],
            resolution="5m",
            due_are_in=True,
            **dict.fromkeys(names, line),
        )

    def latest(self, account_id: str, node_id: str) -> list[idl.CheckState]:
        self.asked.append((account_id, node_id))
        return self.checks.get((account_id, node_id), [])

    def snapshot(self, account_id: str, node_ids: list[str]) -> list[idl.NodeSnapshot]:
        return [
            shot for shot in self.snapshots.get(account_id, []) if not node_ids or shot.node_id in node_ids
        ]


def outboxed() -> list[Event]:
    """The events in the outbox, in the order of their writing."""
    return [decode(row.body)[1] for row in thd_oldest(1000)]


class TenantTestCase(TestCase):
    """`owner` and `teammate` share `account`, which has `node` and `key`; `stranger` has `elsewhere`."""

    def setUp(self) -> None:
        self.owner, self.teammate, self.stranger = (
            User.objects.create(email=f"{name}@example.com") for name in ("owner", "teammate", "stranger")
        )
        self.account = self.make_account("Ours", self.owner, self.teammate)
        self.elsewhere = self.make_account("Theirs", self.stranger)
        self.node = self.account.nodes.create(name="web1", ip_address="192.0.2.1")
        self.foreign_node = self.elsewhere.nodes.create(name="secret-host", ip_address="192.0.2.99")
        self.key = create_key(self.account, "tests")
        self.services = Services()
        backend.install(timeseries=self.services, live=self.services)
        self.addCleanup(backend.install)

    def make_account(self, name: str, owner: User, *members: User) -> Account:
        """An account, its owner and its members."""
        account = Account.objects.create(name=name)
        account.memberships.create(user=owner, role=Membership.Role.OWNER)
        for member in members:
            account.memberships.create(user=member, role=Membership.Role.MEMBER)
        return account

    def get(self, path: str, key: NewKey | None = None) -> Any:
        """What the API answers to a bearer of `key`, by default the account's own."""
        return self.client.get(path, headers={"Authorization": f"Bearer {(key or self.key).bearer_token}"})

    def report(self, node: Node, check: str, key: str = "", **metrics: tuple[str, str]) -> None:
        """Let the newest result of a check be this: metric name -> (kind, value as text)."""
        state = idl.CheckState(
            check=check,
            key=key,
            state="ok",
            status=f"{check} is fine",
            time_ms=1,
            metrics=[idl.Metric(name=n, kind=k, value=v) for n, (k, v) in metrics.items()],
        )
        self.services.checks.setdefault((node.account_id, node.pk), []).append(state)


class Away:
    """Services that do not answer."""

    def rank(self, *_asked: object) -> None:
        raise errors.Unavailable("nobody answers")

    def across(self, *_asked: object) -> None:
        raise errors.Unavailable("nobody answers")

    def query_many(self, *_asked: object) -> Any:
        raise errors.Unavailable("nobody answers")

    def query(self, *_asked: object) -> None:
        raise errors.Unavailable("nobody answers")

    def latest(self, *_asked: object) -> list[idl.CheckState]:
        raise errors.Unavailable("nobody answers")
