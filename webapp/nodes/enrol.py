"""Which node an agent is: bound at its first hello to a machine id and to a secret of the node's own.

| the agent says | it becomes |
|---|---|
| no node, or one unknown here | a node of its own, or the one that it made and never came back to |
| a node and its machine | that node, if it shows the node's secret |
| a node and another machine (a clone) | a node of its own |
| protocol 1 (it says neither) | the account's protocol 1 node of the same address |
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Protocol

from django.db import transaction
from django.utils import timezone

from eventframework.catalogue import NodeRegistered
from webapp import outbox
from webapp.accounts.keys import authenticate_key
from webapp.accounts.models import Account, ApiKey
from webapp.errors import Refused
from webapp.nodes.models import Node


class Hello(Protocol):
    """The struct `Hello` of rpc/picket.thrift, where a text left out may be None."""

    key: str
    secret: str
    protocol: int
    version: str
    host: str
    platform: str
    machine: str
    node: str
    node_secret: str
    address: str


@dataclass(frozen=True)
class Welcome:
    """Who the agent is; `node_secret` is empty unless it was made now."""

    account_id: str
    node_id: str
    node_secret: str = ""


def thd_hello(hello: Hello) -> Welcome:
    """Authenticate an agent and find or make its node.

    Refused: bad_key, no_permission, bad_node_secret, bad_hello (no machine id).
    """
    account = authenticate_key(hello.key or "", hello.secret or "", ApiKey.Permission.AGENT).account
    with transaction.atomic():
        if hello.protocol < 2:
            return _welcome_v1(account, hello)
        if not hello.machine:
            raise Refused("bad_hello", "the agent does not say which machine it runs on")
        known = account.nodes.filter(pk=hello.node, machine=_cut(hello.machine, 255)).first()
        return _welcome_back(known, hello) if known else _bind(account, hello)


def _welcome_v1(account: Account, hello: Hello) -> Welcome:
    known = account.nodes.filter(protocol=1, machine="", ip_address=_address(hello)).first()
    node = known or Node(account=account)
    _note(node, hello)
    return Welcome(account.pk, node.pk)


def _welcome_back(node: Node, hello: Hello) -> Welcome:
    if not hmac.compare_digest(node.secret_hash, _hash(hello.node_secret or "")):
        raise Refused("bad_node_secret", f"this machine is known as {node.pk}, but not by this node secret")
    node.confirmed = True
    _note(node, hello)
    return Welcome(node.account_id, node.pk)


def _bind(account: Account, hello: Hello) -> Welcome:
    node = _lost_answer(account, hello) or Node(account=account, machine=_cut(hello.machine, 255))
    secret = secrets.token_urlsafe(32)
    node.secret_hash = _hash(secret)
    _note(node, hello)
    return Welcome(account.pk, node.pk, secret)


def _lost_answer(account: Account, hello: Hello) -> Node | None:
    """The node made by an earlier hello of this very machine, whose answer may never have arrived."""
    same = {"machine": _cut(hello.machine, 255), "host": _cut(hello.host, 255)}
    return account.nodes.filter(**same, ip_address=_address(hello), confirmed=False, protocol=2).first()


def _note(node: Node, hello: Hello) -> None:
    """Keep what the agent said of itself, and tell of a node that is new."""
    is_new = node._state.adding
    node.host = _cut(hello.host, 255)
    node.name = node.name or node.host or hello.address or node.pk
    node.ip_address = _address(hello)
    node.protocol = hello.protocol
    node.agent_version = _cut(hello.version, 100)
    node.agent_platform = _cut(hello.platform, 200)
    node.last_hello = timezone.now()
    node.save()
    if is_new:
        outbox.publish(NodeRegistered(account_id=node.account_id, node_id=node.pk, name=node.name))


def _address(hello: Hello) -> str | None:
    """Without the zone of a link-local address, which no database keeps."""
    return (hello.address or "").partition("%")[0] or None


def _cut(text: str | None, length: int) -> str:
    """What an agent says is not ours to trust: no NUL, and no longer than the column."""
    return (text or "").replace("\0", "")[:length]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
