"""Events that go out when their change is committed, and not otherwise: Django writes, a service relays."""

from webapp.outbox.write import publish

__all__ = ["publish"]
