"""Every service by name; a module is imported only when its service is asked for."""

from importlib import import_module

from services.base import Service

SERVICES = {
    "archive": "services.archive:Archive",
    "compact": "services.compact:Compact",
    "directory": "services.directory:Directory",
    "live": "services.live:Live",
    "outbox": "services.outbox:Outbox",
    "query": "services.query:Query",
    "state": "services.state:State",
    "watchdog": "services.watchdog:Watchdog",
}


class UnknownService(Exception):
    """A name that no service has."""


def find(name: str) -> type[Service]:
    """The class of a service; raises UnknownService."""
    try:
        module, _, attribute = SERVICES[name].partition(":")
    except KeyError:
        raise UnknownService(f"no service {name!r}; there are: {', '.join(SERVICES)}") from None
    cls: type[Service] = getattr(import_module(module), attribute)
    return cls
