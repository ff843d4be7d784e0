"""Something that goes on in a thread beside a test."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Background(ABC):
    """Runs from `with` on; at its end `over` is set, and waited for until it has ended."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._thread = threading.Thread(target=self.run, name=type(self).__name__)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join()

    @abstractmethod
    def run(self) -> None:
        """In the thread, until `over` is set."""
