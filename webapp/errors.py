"""Errors of the web app's domain functions.

WebappError
├── Refused               final: the same call will fail again; `code` is a word for programs
└── BackendUnavailable    a service behind the web app is away; trying again may help
"""


class WebappError(Exception):
    """Base of this package's errors; `retryable` says whether the same call may succeed later."""

    retryable = False


class Refused(WebappError):
    """A call that is not allowed. Codes: bad_key, no_permission, bad_node_secret, unknown_node, bad_query."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class BackendUnavailable(WebappError):
    """The service that would know the answer is away, or none was installed."""

    retryable = True
