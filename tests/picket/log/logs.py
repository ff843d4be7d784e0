"""What tests of logs share: an output into a string, and loggers that write to it alone."""

import io
import json
from typing import Any

from twisted.logger import Logger

from picket.log.output import Output
from picket.log.redact import Redactor


class Logged:
    """An output in one form, and a logger of its own."""

    def __init__(self, form: str = "json", level: str = "debug", kept_lines: int = 0) -> None:
        self.stream = io.StringIO()
        self.output = Output(self.stream, form, level, Redactor(), kept_lines=kept_lines)
        self.log = Logger(namespace="tests", observer=self.output)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What was written as JSON."""
        return [json.loads(line) for line in self.text.splitlines()]
