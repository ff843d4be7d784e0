"""Errors of the event framework.

EventError
├── UnreadableEvent     a message that is not an event of ours
├── UnknownEvent        an event of a topic that this process does not know
├── PublishRefused      the broker has no queue for it, or said no
└── BrokerUnavailable   the broker is away or slow: whether the message arrived is unknown
    ├── BrokerForbids   it is there, and refuses our user, vhost or permissions: a person has to mend that
    ├── NotThere        it does not have that queue or exchange
    └── TopologyClash   it has a queue or exchange of an older shape: `picket events queues mend`
RetryLater              raised by a handler to be called again after a delay; not an error
"""

MEND = "picket events queues mend"


class EventError(Exception):
    """Base of this package's errors; `retryable` says whether the same call may succeed later."""

    retryable = False


class UnreadableEvent(EventError):
    """A message that does not parse as an event, or not as its topic's type."""


class UnknownEvent(EventError):
    """An event whose topic no imported class has."""


class PublishRefused(EventError):
    """The broker refused the message: no queue would have taken it, or the queue is full."""

    retryable = True


class BrokerUnavailable(EventError):
    """The broker cannot be reached or did not confirm in time; the message may or may not have arrived."""

    retryable = True


class BrokerForbids(BrokerUnavailable):
    """The broker refuses the user, the password, the vhost or a permission; the text says what to do."""


class NotThere(BrokerUnavailable):
    """The broker does not have the queue or exchange that was asked for."""


class TopologyClash(BrokerUnavailable):
    """The broker has a queue or exchange of the same name but another shape; says what to do."""

    def __init__(self, clash: str) -> None:
        super().__init__(f"{clash}; stop Picket's processes and run `{MEND}`, which keeps the messages")
        self.clash = clash


class RetryLater(Exception):
    """Raised by a handler that wants the same message again after `delay_s` seconds."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(f"again in {delay_s} s")
        self.delay_s = delay_s
