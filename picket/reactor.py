"""The reactor of every server process, asyncio's, and the name by which this package knows it."""

import asyncio
from typing import Any, TypeAlias

Reactor: TypeAlias = Any
"""Twisted's asyncio reactor: zope's interfaces of it cannot be put together into one static type."""


def install() -> None:
    """Make it the process's reactor; call it before importing what takes any reactor (twisted.web).

    The loop is asyncio's own: see docs/decisions/009-asyncios-own-loop.md.
    """
    from twisted.internet import asyncioreactor

    asyncioreactor.install(asyncio.SelectorEventLoop())
