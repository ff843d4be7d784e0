"""The one name by which this package knows the reactor."""

from typing import Any, TypeAlias

Reactor: TypeAlias = Any
"""Twisted's asyncio reactor: zope's interfaces of it cannot be put together into one static type."""
