"""pika's errors as ours, each with what a person can do about it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    ChannelError,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from eventframework.errors import BrokerForbids, BrokerUnavailable, NotThere, TopologyClash

PIKAS = (AMQPError, ChannelError)
"""What pika raises; it has no base of its own for all of it."""

_CLASH = re.compile(r"inequivalent arg '(.+?)' for (.+?) in vhost '.*?': received (.+?) but current is (.+)")
_QUOTES = "\"',)\\ "
_TYPED = re.compile(r"the value ('.*?') of type '\w+'")


def translated(error: BaseException, doing: str) -> BrokerUnavailable:
    """Ours for what pika, or the broker through it, raised while `doing` something."""
    if isinstance(error, BrokerUnavailable):
        return error
    code, text = getattr(error, "reply_code", 0), getattr(error, "reply_text", "")
    if isinstance(error, ChannelClosedByBroker):
        return _of_channel(code, text, doing)
    if isinstance(error, ConnectionClosedByBroker | ProbableAuthenticationError | ProbableAccessDeniedError):
        for code, advice in _ADVICE.items():
            if found := re.search(rf"\({code}\) (.*)", repr(error)):
                return BrokerForbids(f"{doing}: {found[1].strip(_QUOTES)}; {advice}")
    return BrokerUnavailable(f"{doing}: {error!r}")


@contextmanager
def translating(doing: str) -> Iterator[None]:
    """Raise ours in the place of pika's."""
    try:
        yield
    except PIKAS as error:
        raise translated(error, doing) from error


def _of_channel(code: int, text: str, doing: str) -> BrokerUnavailable:
    found = _CLASH.search(text) if code == 406 else None
    if found:
        argument, thing, wanted, has = (_TYPED.sub(r"\1", part) for part in found.groups())
        return TopologyClash(
            f"the broker's {thing} is of an older shape: its {argument} is {has}, and has to be {wanted}"
        )
    if code == 404:
        return NotThere(text)
    if code == 403:
        return BrokerForbids(f"{doing}: {text}; give the user of broker.urls permission for it")
    return BrokerUnavailable(f"{doing}: the channel ended: {code} {text}")


_ADVICE = {
    403: "mend the user and password in broker.urls, or `rabbitmqctl add_user` them",
    530: "mend the vhost in broker.urls, or `rabbitmqctl add_vhost` and `set_permissions` for its user",
}
