"""The threads of services, where a test wants none."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed


class InThisThread:
    """Runs each step at once, where the test's transaction is; `trouble`, when set, is what it fails with."""

    trouble: Exception | None = None

    def run(self, thd_step: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return fail(self.trouble) if self.trouble else succeed(thd_step(*arguments))
