"""Errors of the time-series package.

TimeSeriesError
├── InvalidFrame          the payload does not fit the frame's schema; sending it again will not help
├── InvalidQuery          the question makes no sense (end before start, no metrics, …)
├── DamagedBlock          stored bytes are not what was written, or of another version; none of them is used
└── StoreUnavailable      the store did not answer in time or refused; trying again may help
    └── SchemaMismatch    the store's tables are not as this code needs them, until a command is run
"""


class TimeSeriesError(Exception):
    """Base of this package's errors; `retryable` says whether the same call may succeed later."""

    retryable = False


class InvalidFrame(TimeSeriesError):
    """A payload that does not fit the frame's schema. `code` is the word that the agent is refused with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class InvalidQuery(TimeSeriesError):
    """A query that no data could answer."""


class DamagedBlock(TimeSeriesError):
    """A block or rollup whose checksum, version or form is wrong."""


class StoreUnavailable(TimeSeriesError):
    """The store is away, slow or full: nothing of the call may be taken as durable."""

    retryable = True


class SchemaMismatch(StoreUnavailable):
    """The store's tables are older than this code, or newer, or kept otherwise than the settings say."""
