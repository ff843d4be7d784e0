"""The reactor of every server process, asyncio's on uvloop, and the name by which this package knows it."""

from typing import Any, TypeAlias

Reactor: TypeAlias = Any
"""Twisted's asyncio reactor: zope's interfaces of it cannot be put together into one static type."""


def install() -> None:
    """Make it the process's reactor; call it before importing what takes any reactor (twisted.web)."""
    import uvloop
    from twisted.internet import asyncioreactor

    asyncioreactor.install(uvloop.new_event_loop())
