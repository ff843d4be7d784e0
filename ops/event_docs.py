"""`python -m ops.event_docs` writes docs/events.md: the catalogue, and which service takes what."""

import typing
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path

from eventframework import catalogue
from eventframework.event import Event, encode
from services.registry import SERVICES, find

PAGE = Path(__file__).parents[1] / "docs/events.md"
HEAD = """# Events

Made from `eventframework/catalogue.py` and the services' subscriptions by `python -m ops.event_docs`;
a test keeps it true. An event that fails too often becomes a dead letter: see `picket events dead --help`.
"""
EXAMPLES = {"account_id": "a0123456789", "node_id": "n0123456789", "time_ms": 1700000000000}


def page() -> str:
    """The whole page."""
    found = [
        cls
        for cls in vars(catalogue).values()
        if isinstance(cls, type) and cls.__module__ == catalogue.__name__
    ]
    return "\n".join([HEAD, *map(section, found)])


def section(event: type[Event]) -> str:
    """One event: what it means, its fields, its wire form, and who takes it."""
    types = fields(event)
    sample = event(**{name: example(name, kind) for name, kind in types.items()})
    wire = encode(sample, event_id="0" * 32, time_ms=1700000000000).decode()
    taken = ", ".join(takers(event)) or "nobody yet"
    rows = "\n".join(f"| `{name}` | `{named(kind)}` |" for name, kind in types.items())
    return (
        f"## {event.__name__}\n\n{getdoc(event)}\n\n"
        f"Topic `{event.topic}`, version {event.version}. Taken by: {taken}.\n\n"
        f"| field | type |\n|---|---|\n{rows}\n\n```json\n{wire}\n```\n"
    )


def fields(event: type[Event]) -> dict[str, object]:
    """Field name -> type."""
    hints = typing.get_type_hints(event)
    return {name: hints[name] for name in event.__struct_fields__}


def named(kind: object) -> str:
    """A type as it is written."""
    return kind.__name__ if type(kind) is type else str(kind)


def example(name: str, kind: object) -> object:
    """A value for the wire form."""
    if name in EXAMPLES:
        return EXAMPLES[name]
    if kind is int:
        return 0
    return {"name": ["old", "new"]} if typing.get_origin(kind) is dict else "…"


def takers(event: type[Event]) -> Iterator[str]:
    """`service` (policy), of every service that takes it."""
    for name in SERVICES:
        for taken in find(name).subscriptions:
            if taken.event is event:
                yield f"`{name}` ({taken.policy.value})"


if __name__ == "__main__":
    PAGE.write_text(page())
