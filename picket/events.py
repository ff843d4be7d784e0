"""`picket events dead`: the messages that failed too often, looked at, sent back or forgotten."""

import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred

from eventframework.broker import Broker, DeadLetter
from eventframework.clock import within
from eventframework.errors import EventError, UnreadableEvent
from eventframework.event import decode_envelope
from eventframework.topology import Topology
from picket import home
from picket.errors import PicketError
from picket.once import run_once
from picket.queues import queues
from picket.reactor import Reactor
from picket.settings import Settings

T = TypeVar("T")
CONNECT_S = 10.0


def dead_letters(settings: Settings, limit: int, letter_id: str | None = None) -> list[DeadLetter]:
    """The oldest, or those of one id; beside a running `picket up` too."""
    return _ask(settings, lambda broker: broker.dead_letters(limit, letter_id))


def replay(settings: Settings, letter_id: str | None) -> int:
    """Send one or all back; an embedded Picket must be stopped, as it would not see them come."""
    with ExitStack() as stack:
        if settings.broker.kind == "memory":
            stack.enter_context(home.lock(settings.home))
        return _ask(settings, lambda broker: broker.replay(letter_id))


def drop(settings: Settings, letter_id: str | None) -> int:
    """Forget one or all; beside a running `picket up` too."""
    return _ask(settings, lambda broker: broker.drop(letter_id))


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """A letter with what its envelope says; empty where the body is no event."""
    try:
        envelope = decode_envelope(letter.body)
        event = {"event_id": envelope.id, "topic": envelope.topic, "data": json.loads(bytes(envelope.data))}
    except UnreadableEvent:
        event = {"event_id": "", "topic": "", "data": letter.body.decode(errors="replace")}
    return {
        "id": letter.id,
        "queue": letter.queue,
        "attempts": letter.attempts,
        "first_failed_ms": letter.first_failed_ms,
        "last_failed_ms": letter.last_failed_ms,
        **event,
        "error": letter.error,
    }


def line(letter: DeadLetter) -> str:
    """A letter in one line, its error's last line at the end."""
    error = (letter.error.strip().splitlines() or [""])[-1]
    return f"{letter.id}  {when(letter.last_failed_ms)}  {letter.attempts:>2}  {letter.queue}  {error}"


def page(letter: DeadLetter) -> str:
    """All of a letter, for a person."""
    facts = as_json(letter) | {"data": json.dumps(as_json(letter)["data"])}
    for name in ("first_failed", "last_failed"):
        facts[name] = when(facts.pop(f"{name}_ms"))
    error = facts.pop("error").rstrip()
    return "\n".join([*(f"{name:13} {value}" for name, value in facts.items()), "", error])


def when(time_ms: int) -> str:
    """A time in UTC; a dash where it is not known."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if time_ms else "-"


def _ask(settings: Settings, question: Callable[[Broker], Awaitable[T]]) -> T:
    """The broker's answer; raises PicketError."""

    def ask(reactor: Reactor) -> Awaitable[T]:
        from services.engines import make_broker

        return _answer(make_broker(settings, reactor, Topology(), "events"), reactor, question)

    try:
        return run_once(ask)
    except (EventError, OSError) as error:
        raise PicketError(f"events: {error}") from error


async def _answer(broker: Broker, clock: Any, question: Callable[[Broker], Awaitable[T]]) -> T:
    starting = Deferred.fromCoroutine(broker.start())
    try:
        await within(clock, CONNECT_S, starting, "the broker of the settings")
        return await question(broker)
    finally:
        await broker.stop()


@click.group()
def events() -> None:
    """Events between the services."""


events.add_command(queues)


@events.group()
def dead() -> None:
    """Dead letters: messages that failed too often."""


def _settings() -> Settings:
    from picket.cli import settings_from

    return settings_from()


as_json_option = click.option("--json", "in_json", is_flag=True, help="JSON in one line")
all_option = click.option("--all", "every", is_flag=True, help="every dead letter")


@dead.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@as_json_option
def list_(limit: int, in_json: bool) -> None:
    """The oldest, one line each: id, last failure, attempts, queue, error."""
    letters = dead_letters(_settings(), limit)
    click.echo(
        json.dumps([*map(as_json, letters)])
        if in_json
        else "\n".join(map(line, letters)) or "no dead letters"
    )


@dead.command()
@click.argument("letter_id", metavar="ID")
@as_json_option
def show(letter_id: str, in_json: bool) -> None:
    """All of one, with its traceback."""
    letters = dead_letters(_settings(), 1, letter_id)
    if not letters:
        raise PicketError(f"no dead letter {letter_id}; `picket events dead list` lists them")
    click.echo(json.dumps(as_json(letters[0])) if in_json else page(letters[0]))


@dead.command("replay")
@click.argument("letter_id", metavar="ID", required=False)
@all_option
@as_json_option
def replay_(letter_id: str | None, every: bool, in_json: bool) -> None:
    """Put one, or all, back into the queue it came from."""
    _settle("replayed", replay, letter_id, every, in_json)


@dead.command("drop")
@click.argument("letter_id", metavar="ID", required=False)
@all_option
@as_json_option
def drop_(letter_id: str | None, every: bool, in_json: bool) -> None:
    """Forget one, or all."""
    _settle("dropped", drop, letter_id, every, in_json)


def _settle(
    done: str,
    settle: Callable[[Settings, str | None], int],
    letter_id: str | None,
    every: bool,
    in_json: bool,
) -> None:
    if bool(letter_id) == every:
        raise PicketError("say which: an ID, or --all")
    number = settle(_settings(), letter_id)
    if letter_id and not number:
        raise PicketError(f"no dead letter {letter_id}; `picket events dead list` lists them")
    click.echo(json.dumps({done: number}) if in_json else f"{done} {number}")
